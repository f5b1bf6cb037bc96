"""What the pages of records in the admin call: the colour of a state, times, and links to records."""

import json
from datetime import datetime
from typing import Any

from django import template
from django.db.models import Model
from django.utils.safestring import SafeString

from councils import showing

register = template.Library()


@register.filter
def label_of(status: str) -> str:
    """The colour of a label for this status."""
    return showing.STATUS_LABELS.get(status, "") or "plain"


@register.filter
def link(row: Model | None) -> SafeString | str:
    """A link to the record."""
    return showing.link_to(row)


@register.filter
def point(value: datetime | None) -> str:
    """A time to the minute, as the lists write it."""
    return showing.moment(value)


@register.filter
def span(milliseconds: int | None) -> str:
    """A time span; nothing where there is none yet."""
    return showing.duration(milliseconds)


@register.filter
def words(code: str) -> str:
    """A code of ours as words."""
    return code.replace("_", " ")


@register.filter
def changed_value(value: Any) -> str:
    """A value of the audit trail as people read it."""
    match value:
        case None | "":
            return "empty"
        case bool():
            return showing.yes_or_no(value)
        case str():
            return value
        case list() if all(isinstance(part, str) for part in value):
            return ", ".join(value) or "none"
    return json.dumps(value, ensure_ascii=False, indent=2)
