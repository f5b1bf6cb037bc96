"""What templates call: numbers and times as ``formatting`` writes them, shapes of states, Markdown."""

from django import template
from django.contrib.messages.storage.base import Message
from django.http import HttpRequest
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from councils import markdown as council_markdown
from councils.formatting import ago, clock, duration, figure, moment, number, percent, usd
from councils.models import CouncilRun
from councils.models.user import Language, Theme
from councils.web import phrases
from councils.web.appearance import theme_of
from councils.web.keeping import UNDO
from councils.web.members import HUES

register = template.Library()

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
    "up": '<path d="M2.5 7.5h2.3v6H2.5zm2.3 0 2.8-5.1c1.3 0 1.9.9 1.6 2.1l-.5 2.1h3.6c1 0 1.6.8 1.4 1.7l-.9 4c-.2.7-.7 1.2-1.5 1.2h-6"/>',
    "down": '<path d="M2.5 8.5h2.3v-6H2.5zm2.3 0 2.8 5.1c1.3 0 1.9-.9 1.6-2.1l-.5-2.1h3.6c1 0 1.6-.8 1.4-1.7l-.9-4c-.2-.7-.7-1-1.5-1h-6"/>',
    "star": '<path class="f" d="m8 1.8 1.9 4 4.3.5-3.2 3 .9 4.4L8 11.5l-3.9 2.2.9-4.4-3.2-3 4.3-.5z"/>',
}


@register.filter
def markdown(text: str) -> SafeString:
    """Safe HTML of the text."""
    return council_markdown.render(text)


@register.simple_tag
def rendered(text: str) -> council_markdown.Rendered:
    """The answer of a page with its headings; there is one on a page, so that their ids are its own."""
    return council_markdown.render_with_headings(text, anchors="part")


@register.simple_tag
def icon(name: str) -> SafeString:
    """A small shape for a state; the word beside it carries the meaning."""
    shape = mark_safe(SHAPES[name])  # noqa: S308 - a constant of this file
    return format_html('<svg class="icon icon-{}" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">{}</svg>', name, shape)


for written in (duration, ago, moment, clock, usd, number, figure, percent):
    register.filter(written.__name__, written)


@register.filter
def hue(place: int) -> int:
    """The colour of the member at this place, from 1."""
    return (place - 1) % HUES + 1


@register.filter
def seconds(ms: int) -> str:
    """Milliseconds as the seconds of an ISO 8601 duration."""
    return f"{ms / 1000:.0f}"


@register.filter
def why(run: CouncilRun) -> str:
    """Why the run ended as it did, in the reader's language."""
    return phrases.reason(run)


@register.filter
def undoes(message: Message) -> str:
    """The id of the deleted conversation that this message offers to restore; empty when it offers nothing."""
    tag = str(message.extra_tags or "")
    return tag.removeprefix(UNDO) if tag.startswith(UNDO) else ""


@register.simple_tag
def themes() -> list[Theme]:
    """The looks to choose from."""
    return list(Theme)


@register.simple_tag
def languages() -> list[Language]:
    """The languages to choose from."""
    return list(Language)


@register.simple_tag(takes_context=True)
def theme(context: Context) -> Theme:
    """The look that the visitor has chosen; a page of an error may know no visitor."""
    request = context.get("request")
    return theme_of(request) if isinstance(request, HttpRequest) else Theme.SYSTEM
