"""Markdown of models and people as HTML that is safe on our pages.

Raw HTML is off in the parser, and what it makes goes through an allow-list all the same: two locks, so that a fault in one of them
does not open the door. No images and no relative addresses, so that reading an answer sends no request anywhere. Text that is too long
or too tangled to be parsed in reasonable time is shown as it was written.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

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

TAGS = frozenset(
    {
        "a",
        "blockquote",
        "br",
        "code",
        "del",
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


def _lower_headings(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + HEADING_SHIFT, 6)}"


def _image_as_text(_self: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType) -> str:
    """What an image shows, in words: the picture itself would tell its server who reads this."""
    return str(escape(tokens[index].content or "image"))


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": MAX_NESTING})
    parser.enable(["table", "strikethrough"])
    parser.core.ruler.push("lower_headings", _lower_headings)
    parser.add_render_rule("image", _image_as_text)
    return parser


_PARSER = _parser()
# The line under a table's head, wherever it stands (in a quote or a list too).
_RULER = re.compile(r"[ \t:|-]*-[ \t:|-]*$", re.MULTILINE)
_LINK_VALUES: dict[str, dict[str, str]] = {"a": {"target": "_blank"}}
_ATTRIBUTES: dict[str, set[str]] = {"a": {"href", "title"}, "ol": {"start"}}


@lru_cache(maxsize=KEPT_RENDERED)
def render(text: str) -> SafeString:
    """The text as HTML made of ``TAGS`` only; links open apart and tell nobody where they were followed from."""
    if not text.strip():
        return SafeString("")
    try:
        html = _parsed(text) if _is_reasonable(text) else _as_written(text)
    except RecursionError:
        html = _as_written(text)
    return mark_safe(_cleaned(html))  # noqa: S308 - this is the one place that makes HTML of text, and it has just been cleaned


def _is_reasonable(text: str) -> bool:
    return len(text) <= MAX_CHARS and text.count("[") <= MAX_BRACKETS and _most_cells(text) <= MAX_CELLS


def _most_cells(text: str) -> int:
    """How many table cells this could become at most: the columns of its widest ruler line times its lines."""
    columns = max((ruler.count("|") + 1 for ruler in _RULER.findall(text)), default=0)
    return columns * text.count("\n")


def _parsed(text: str) -> str:
    """The parser's HTML. What is nested deeper than it follows would be left out silently, so such text stays as written."""
    env: EnvType = {}
    tokens = _PARSER.parse(text, env)
    if max((token.level for token in tokens), default=0) >= MAX_NESTING - 1:
        return _as_written(text)
    return str(_PARSER.renderer.render(tokens, _PARSER.options, env))


def _as_written(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"


def _cleaned(html: str) -> str:
    options: dict[str, Any] = {"set_tag_attribute_values": _LINK_VALUES, "url_relative": "deny"}
    return nh3.clean(
        html,
        tags=set(TAGS),
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        clean_content_tags={"script", "style"},
        **options,
    )
