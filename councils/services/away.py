"""Whether a fault means that the database cannot be used just now. It passes, and is no crash of ours."""

from django.db import InterfaceError, OperationalError

READ_ONLY = "25006"
"""What PostgreSQL calls a write that it refuses: after a switch to another server, the one that we are connected to is read-only."""


def is_away(error: BaseException | None) -> bool:
    """Gone, busy, or read-only."""
    # Django gives a refused write no class of its own. The driver's error knows.
    return isinstance(error, OperationalError | InterfaceError) or getattr(getattr(error, "__cause__", None), "sqlstate", None) == READ_ONLY
