"""Markdown of models and people as HTML that is safe on our pages.

Raw HTML is off in the parser, and what it makes goes through an allow-list all the same: two locks, so that a fault in one of them
does not open the door. No images and no relative addresses, so that reading an answer sends no request anywhere. Text that is too long
or too tangled to be parsed in reasonable time is shown as it was written.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from councils import highlighting

MAX_CHARS = 60_000
# Quotes and lists inside each other; a list counts twice. Time grows with depth times lines.
MAX_NESTING = 24
# Brackets that may begin a link are the one thing whose cost grows faster than the text.
MAX_BRACKETS = 4_000
# A table row may be written with one character and still be filled up to all columns of its head.
MAX_CELLS = 10_000
# Finished answers do not change, and a page shows the same ones again and again.
KEPT_RENDERED = 256
# An answer stands under headings of the page, which go down to the second level.
HEADING_SHIFT = 2
# From here on a long text gets a table of contents.
FEWEST_HEADINGS = 4
LONG_HTML = 3_000

TAGS = frozenset(
    {
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "div",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "span",
        "strong",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    }
)


CLASSES: Mapping[str, frozenset[str]] = {
    "span": highlighting.CLASSES,
    "li": frozenset({"task", "task-done"}),
    "div": frozenset({"scroll-x"}),
}


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a text: ``level`` counts from 1 as in the text, ``anchor`` is its id."""

    level: int
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text as HTML made of ``TAGS`` only, and its headings in order; those of a text without ``anchors`` are left out."""

    html: SafeString
    headings: tuple[Heading, ...] = ()

    @property
    def is_long(self) -> bool:
        """Whether a reader is helped by a table of contents."""
        return len(self.headings) >= FEWEST_HEADINGS and len(self.html) >= LONG_HTML


def _lower_headings(state: StateCore) -> None:
    """Put headings below those of the page; with ``anchors`` in the environment they can be linked to, and are listed there."""
    for place, token in enumerate(state.tokens):
        if token.type == "heading_open" and "anchors" in state.env:
            anchor = f"{state.env['anchors']}-{len(state.env['headings']) + 1}"
            token.attrSet("id", anchor)
            state.env["headings"].append(Heading(int(token.tag[1]), _plain(state.tokens[place + 1]), anchor))
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + HEADING_SHIFT, 6)}"


def _plain(inline: Token) -> str:
    return " ".join("".join(child.content or " " for child in inline.children or ()).split())


def _tasks(state: StateCore) -> None:
    """List items that begin with ``[ ]`` or ``[x]`` are tasks; the style sheet draws their boxes."""
    for item, paragraph, inline in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        if item.type != "list_item_open" or paragraph.type != "paragraph_open" or inline.type != "inline" or not inline.children:
            continue
        first = inline.children[0]
        if found := _TASK.match(first.content):
            first.content = first.content[found.end() :]
            item.attrSet("class", "task" if found[1] == " " else "task-done")


def _image_as_text(_self: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType) -> str:
    """What an image shows, in words: the picture itself would tell its server who reads this."""
    return str(escape(tokens[index].content or "image"))


def _table_open(*_args: object) -> str:
    """A wide table scrolls by itself, by keyboard too."""
    return f'<div class="scroll-x" tabindex="0" role="region" aria-label="{escape(_("Table"))}"><table>\n'


def _table_close(*_args: object) -> str:
    return "</table></div>\n"


def _highlighted(code: str, language: str, _attributes: str) -> str:
    return highlighting.highlight(code, language)


def _parser() -> MarkdownIt:
    options = {"html": False, "breaks": True, "maxNesting": MAX_NESTING, "highlight": _highlighted}
    parser = MarkdownIt("commonmark", options)
    parser.enable(["table", "strikethrough"])
    parser.core.ruler.push("lower_headings", _lower_headings)
    parser.core.ruler.push("tasks", _tasks)
    parser.add_render_rule("image", _image_as_text)
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    return parser


_PARSER = _parser()
_TASK = re.compile(r"\[([ xX])\]\s+")
# The line under a table's head, wherever it stands (in a quote or a list too).
_RULER = re.compile(r"[ \t:|-]*-[ \t:|-]*$", re.MULTILINE)
_LINK_VALUES: dict[str, dict[str, str]] = {"a": {"target": "_blank"}}
_ATTRIBUTES: dict[str, set[str]] = {"a": {"href", "title"}, "ol": {"start"}}


def render(text: str) -> SafeString:
    """The text as HTML made of ``TAGS`` only; links open apart and tell nobody where they were followed from."""
    return _rendered(text, "", get_language() or "").html


def render_with_headings(text: str, *, anchors: str) -> Rendered:
    """As ``render``, with headings that can be linked to; ``anchors`` begins their ids, of which a page must have each once."""
    return _rendered(text, anchors, get_language() or "")


@lru_cache(maxsize=KEPT_RENDERED)
def _rendered(text: str, anchors: str, _language: str) -> Rendered:
    if not text.strip():
        return Rendered(SafeString(""))
    env: dict[str, Any] = {"anchors": anchors, "headings": []} if anchors else {}
    try:
        html = _parsed(text, env) if _is_reasonable(text) else _as_written(text)
    except RecursionError:
        html = _as_written(text)
    headings = tuple(env.get("headings", ()))
    # This is the one place that makes HTML of text, and it has just been cleaned.
    return Rendered(mark_safe(_cleaned(html, headings)), headings)  # noqa: S308


def _is_reasonable(text: str) -> bool:
    return len(text) <= MAX_CHARS and text.count("[") <= MAX_BRACKETS and _most_cells(text) <= MAX_CELLS


def _most_cells(text: str) -> int:
    """How many table cells this could become at most: the columns of its widest ruler line times its lines."""
    columns = max((ruler.count("|") + 1 for ruler in _RULER.findall(text)), default=0)
    return columns * text.count("\n")


def _parsed(text: str, env: dict[str, Any]) -> str:
    """The parser's HTML. What is nested deeper than it follows would be left out silently, so such text stays as written."""
    tokens = _PARSER.parse(text, env)
    if max((token.level for token in tokens), default=0) >= MAX_NESTING - 1:
        env.clear()
        return _as_written(text)
    return str(_PARSER.renderer.render(tokens, _PARSER.options, env))


def _as_written(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"


def _cleaned(html: str, headings: Sequence[Heading] = ()) -> str:
    """Only what this module itself makes: no attribute has a value that it does not give."""
    anchors = {"id": {heading.anchor for heading in headings}}
    values = {f"h{level}": anchors for level in range(1, 7)} | {"div": {"role": {"region"}, "tabindex": {"0"}, "aria-label": {_("Table")}}}
    options: dict[str, Any] = {"set_tag_attribute_values": _LINK_VALUES, "tag_attribute_values": values, "url_relative": "deny"}
    return nh3.clean(
        html,
        tags=set(TAGS),
        attributes=_ATTRIBUTES,
        allowed_classes={tag: set(classes) for tag, classes in CLASSES.items()},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        clean_content_tags={"script", "style"},
        **options,
    )
