"""The admin, one file per aggregate."""

from councils.admin import conversation, council, ledger, prompt, provider, run, schedule, user

__all__ = ["conversation", "council", "ledger", "prompt", "provider", "run", "schedule", "user"]
