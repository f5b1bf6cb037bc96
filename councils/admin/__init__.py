"""The admin, one file per aggregate."""

from councils.admin import conversation, council, ledger, prompt, provider, run, user

__all__ = ["conversation", "council", "ledger", "prompt", "provider", "run", "user"]
