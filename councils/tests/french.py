"""Finds English on a page that should be French: texts that the catalogue has in French, and texts that nobody has marked."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from html.parser import HTMLParser

import polib
from django.conf import settings

from councils.models import Conversation, CouncilConfiguration, Message

ENGLISH = re.compile(r"\b(the|and|of|is|are|was|were|you|your|not|this|that|with|from|has|have|been|its?)\b", re.IGNORECASE)
"""Words without which English says little and which French does not have."""

PLACE = r"%\(\w+\)[^a-z]*[a-z]|\{\w+\}"
SPOKEN = ("title", "aria-label", "placeholder", "alt", "data-spoken", "data-cut-off")
VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})


class Said(HTMLParser):
    """What a page says in its own words: texts and names of things, without what people and models wrote (``dir=auto``, ``bdi``)."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._foreign: list[bool] = [False]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        foreign = self._foreign[-1] or _is_foreign(tag, given)
        if not foreign:
            self.texts += [text for name in SPOKEN if (text := given.get(name))]
        if tag not in VOID:
            self._foreign.append(foreign)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and len(self._foreign) > 1:
            self._foreign.pop()

    def handle_data(self, data: str) -> None:
        if not self._foreign[-1]:
            self.texts.append(data)


def _is_foreign(tag: str, given: dict[str, str | None]) -> bool:
    # The title of a run's page begins with its question.
    if tag in {"bdi", "code", "script", "style", "title", "svg"} or given.get("dir") == "auto":
        return True
    return "prose" in (given.get("class") or "").split() or given.get("lang") not in {None, "fr"}


def english_in(html: str) -> list[str]:
    """The English of a page, each text once."""
    page = Said()
    page.feed(html)
    texts = dict.fromkeys(" ".join(text.split()) for text in page.texts)
    written = _written_by_people()
    return [text for text in texts if text and _is_english(text, written)]


def _is_english(text: str, written: Iterable[str]) -> bool:
    for words in written:
        text = text.replace(words, "")
    return bool(known_english().fullmatch(text) or ENGLISH.search(text))


def _written_by_people() -> list[str]:
    columns = ((Conversation, "title"), (Message, "text"), (CouncilConfiguration, "name"), (CouncilConfiguration, "description"))
    texts = {" ".join(text.split()) for model, name in columns for text in model.objects.values_list(name, flat=True)}
    return sorted(texts - {""}, key=len, reverse=True)


@lru_cache
def known_english() -> re.Pattern[str]:
    """Everything that the catalogue has in French, as it stands on a page in English."""
    path = settings.LOCALE_PATHS[0] / "fr/LC_MESSAGES/django.po"
    pairs = [pair for entry in polib.pofile(str(path)) for pair in _pairs(entry)]
    french = {piece for _, translated in pairs for piece in _pieces(translated)}
    english = {piece for original, _ in pairs for piece in _pieces(original)} - french
    return re.compile("|".join(sorted(map(_pattern, english), key=len, reverse=True)))


def _pairs(entry: polib.POEntry) -> Iterator[tuple[str, str]]:
    yield entry.msgid, entry.msgstr or entry.msgstr_plural.get(0, "")
    if entry.msgid_plural:
        yield entry.msgid_plural, entry.msgstr_plural[1]


def _pieces(text: str) -> Iterator[str]:
    """A sentence as a page has it: in pieces between tags. Pieces without words say nothing."""
    for piece in re.split(r"<[^>]+>", text.replace("%%", "%")):
        if re.search(r"[^\W\d_]{2}", re.sub(PLACE, "", piece)):
            yield " ".join(piece.split())


def _pattern(piece: str) -> str:
    return ".+?".join(map(re.escape, re.split(PLACE, piece)))
