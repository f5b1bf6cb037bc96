"""How values look in lists and records. Everything from outside goes through ``format_html``: it shows as text, whatever it holds."""

import json
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.urls import reverse
from django.utils.dateformat import format as date_format
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from councils import formatting

NOTHING = "–"
LINK = "text-primary-600 dark:text-primary-500"
EXCERPT_CHARS = 120

# Colours of the labels, by status of runs, steps and calls.
STATUS_LABELS = {
    "queued": "info",
    "running": "info",
    "sending": "info",
    "succeeded": "success",
    "done": "success",
    "late_done": "warning",
    "partial": "warning",
    "late": "warning",
    "orphaned": "warning",
    "invalid": "warning",
    "failed": "danger",
    "broken": "danger",
    "refused": "danger",
    "cancelled": "",
}


def moment(value: datetime | None) -> str:
    """A time to the minute, with its zone, in an order that sorts."""
    return NOTHING if value is None else date_format(localtime(value), "Y-m-d H:i T")


def duration(milliseconds: int | None) -> str:
    """A time span; a call that has not ended has none yet."""
    return NOTHING if milliseconds is None else formatting.duration(milliseconds)


def yes_or_no(value: bool) -> str:
    """For what is neither good nor bad: Django's own icons are a green tick and a red cross."""
    return "yes" if value else "no"


def excerpt(text: str) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT_CHARS else f"{line[:EXCERPT_CHARS].rstrip()}…"


def text_block(text: str) -> SafeString:
    """A text as it was written, with its line breaks."""
    return format_html('<div class="record-text">{}</div>', text or NOTHING)


def json_block(value: Any) -> SafeString:
    """A JSON value, indented."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False)
    return format_html('<pre class="record-json">{}</pre>', text)


def link_to(row: Model | None, text: object = None) -> SafeString | str:
    """A link to the record in the admin; the row must be loaded already."""
    if row is None:
        return NOTHING
    meta = row._meta
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}" class="{}">{}</a>', address, LINK, row if text is None else text)


def list_address(model: type[Model], **filters: str | int) -> str:
    """The address of the admin's list of a model, filtered."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address


def link_to_list(model: type[Model], text: str, **filters: str | int) -> SafeString:
    return format_html('<a href="{}" class="{}">{}</a>', list_address(model, **filters), LINK, text)
