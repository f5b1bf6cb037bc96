"""A form of a council that was opened before somebody else changed the council: nobody loses a change without a word."""

from typing import Any

from councils.admin.drafting import KEEP
from councils.admin.pages import number_from
from councils.formatting import moment
from councils.models import AuditEntry, AuditVerb, CouncilConfiguration

SEEN = "_seen"
"""The hidden field with the newest change that was recorded when the form was shown."""
MOST_TOLD = 3


def newest_change(object_id: str | None) -> int | None:
    """What the form sends along; ``None`` for a new council."""
    return None if object_id is None else _changes_of(number_from(object_id)).values_list("pk", flat=True).first() or 0


def changed_since(data: Any, council: CouncilConfiguration) -> str:
    """Who changed the council since the form was shown, and what; empty where nobody did. Programs need not send the field."""
    if council.pk is None or SEEN not in data or KEEP in data:
        return ""
    changes = list(_changes_of(council.pk).filter(pk__gt=number_from(data[SEEN]))[:MOST_TOLD])
    told = " ".join(f"{change.actor_name} changed this at {moment(change.at)}: {_fields(change)}." for change in changes)
    return f"{told} Nothing was saved. What you typed is still here: save again to put it in place of that." if changes else ""


def _changes_of(pk: int) -> Any:
    # To keep a draft is a deed that changes nothing here.
    return AuditEntry.objects.of(CouncilConfiguration._meta.label_lower, pk).filter(verb=AuditVerb.CHANGED)


def _fields(change: AuditEntry) -> str:
    return ", ".join(name.replace("_", " ") for name in change.changes) or change.note or change.verb
