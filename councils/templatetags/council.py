"""How pages write numbers, times and states, and how they show Markdown."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django import template
from django.contrib.messages.storage.base import Message
from django.http import HttpRequest
from django.template import Context
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from councils import markdown as council_markdown
from councils.web.appearance import Theme, theme_of
from councils.web.keeping import UNDO
from councils.web.members import HUES

register = template.Library()

SMALLEST_SHOWN_USD = Decimal("0.0001")
MINUTE_MS = 60_000
# A state is never colour alone: each has a shape of its own. Drawn on a grid of 16 as outlines; class "f" is filled.
SHAPES = {
    "waiting": '<circle cx="8" cy="8" r="5.5"/>',
    "active": '<circle cx="8" cy="8" r="5.5"/><circle class="f" cx="8" cy="8" r="2.8"/>',
    "done": '<path d="M3 8.6 6.6 12 13 4.6"/>',
    "failed": '<path d="m4 4 8 8m0-8-8 8"/>',
    "late": '<circle cx="8" cy="8" r="6"/><path d="M8 4.5V8l2.5 1.8"/>',
    "partial": '<circle cx="8" cy="8" r="5.5"/><path class="f" d="M8 2.5a5.5 5.5 0 0 1 0 11z"/>',
    "cancelled": '<rect class="f" x="4" y="4" width="8" height="8"/>',
    "skipped": '<path d="M3 8h10"/>',
    "more": '<circle class="f" cx="3" cy="8" r="1.4"/><circle class="f" cx="8" cy="8" r="1.4"/><circle class="f" cx="13" cy="8" r="1.4"/>',
    "star": '<path class="f" d="m8 1.8 1.9 4 4.3.5-3.2 3 .9 4.4L8 11.5l-3.9 2.2.9-4.4-3.2-3 4.3-.5z"/>',
}


@register.filter
def markdown(text: str) -> SafeString:
    """Safe HTML of the text."""
    return council_markdown.render(text)


@register.simple_tag
def icon(name: str) -> SafeString:
    """A small shape for a state; the word beside it carries the meaning."""
    shape = mark_safe(SHAPES[name])  # noqa: S308 - a constant of this file
    return format_html('<svg class="icon icon-{}" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">{}</svg>', name, shape)


@register.filter
def duration(value: timedelta | float | None) -> str:
    """A time span, given as such or in milliseconds: ``8.1 s``, ``31 s``, ``2 min 05 s``."""
    if value is None:
        return _("unknown")
    ms = value.total_seconds() * 1000 if isinstance(value, timedelta) else float(value)
    if ms < 9_950:
        return _("%(seconds).1f s") % {"seconds": max(ms, 0) / 1000}
    if ms < MINUTE_MS - 500:
        return _("%(seconds).0f s") % {"seconds": ms / 1000}
    minutes, seconds = divmod(round(ms / 1000), 60)
    return _("%(minutes)d min %(seconds)02d s") % {"minutes": minutes, "seconds": seconds}


@register.filter
def ago(value: datetime) -> str:
    """How long ago, in its largest unit."""
    if timezone.now() - value < timedelta(minutes=1):
        return _("just now")
    return _("%(span)s ago") % {"span": timesince(value, depth=1)}


@register.filter
def moment(value: datetime) -> str:
    """A point in time with its zone; a script turns it into the reader's own."""
    return _("%(moment)s UTC") % {"moment": formats.date_format(value.astimezone(UTC), "DATETIME_FORMAT")}


@register.filter
def clock(value: timedelta) -> str:
    """A running time as a clock shows it: ``00:18``, ``1:02:03``."""
    minutes, seconds = divmod(max(int(value.total_seconds()), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


@register.filter
def usd(value: Decimal | None) -> str:
    """An amount of money: as many digits as say something, never a zero that hides a cost."""
    if value is None:
        return _("unknown")
    if 0 < value < SMALLEST_SHOWN_USD:
        return _("under %(amount)s USD") % {"amount": SMALLEST_SHOWN_USD}
    digits = 0 if value == 0 else 2 if value >= 1 else 4
    return _("%(amount)s USD") % {"amount": f"{value:,.{digits}f}"}


@register.filter
def number(value: int | None) -> str:
    """A count with its thousands apart."""
    return _("unknown") if value is None else f"{value:,}"


@register.filter
def figure(value: float | None, digits: int = 2) -> str:
    """A number with a fixed count of decimals."""
    return _("unknown") if value is None else f"{float(value):.{digits}f}"


@register.filter
def percent(value: float) -> str:
    """A share of one as a percentage."""
    return f"{float(value) * 100:.0f} %"


@register.filter
def hue(place: int) -> int:
    """The colour of the member at this place, from 1."""
    return (place - 1) % HUES + 1


@register.filter
def seconds(ms: int) -> str:
    """Milliseconds as the seconds of an ISO 8601 duration."""
    return f"{ms / 1000:.0f}"


@register.filter
def undoes(message: Message) -> str:
    """The id of the deleted conversation that this message offers to restore; empty when it offers nothing."""
    tag = str(message.extra_tags or "")
    return tag.removeprefix(UNDO) if tag.startswith(UNDO) else ""


@register.simple_tag
def themes() -> list[Theme]:
    """The looks to choose from."""
    return list(Theme)


@register.simple_tag(takes_context=True)
def theme(context: Context) -> Theme:
    """The look that the visitor has chosen; a page of an error may know no visitor."""
    request = context.get("request")
    return theme_of(request) if isinstance(request, HttpRequest) else Theme.SYSTEM
