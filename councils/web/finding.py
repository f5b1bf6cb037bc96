"""Searching conversations: which hold the words, where they were found, and how that is shown."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Greatest, Lower, NullIf, StrIndex, Substr

from councils.models import Conversation, Message, MessageRole

MOST_WORDS = 8
BEFORE, LENGTH = 60, 240
"""Characters of a piece: so many before the first word that was found, so many in all."""
MARKUP = re.compile(r"\*+|`+|^(#+|>|-) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of text, and whether it is one of the words that were searched."""

    text: str
    is_found: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """Where the words were found in a conversation's messages: a few words around, and whether the user or the council wrote them."""

    parts: Sequence[Part]
    is_question: bool


def words_of(text: str) -> list[str]:
    """What is searched: the words of the text, each once, the first few of them."""
    return list(dict.fromkeys(text.split()))[:MOST_WORDS]


def search(conversations: QuerySet[Conversation], words: Iterable[str]) -> QuerySet[Conversation]:
    """Those that hold every word, in their title or in a message, whatever its case; without a word, all of them.

    Only the user's own conversations are looked into, through the index of their messages, so no index of texts is needed.
    """
    for word in words:
        in_title = _holding(word, "title")
        conversations = conversations.filter(
            in_title | Q(Exists(Message.objects.filter(_holding(word, "text"), conversation=OuterRef("pk"))))
        )
    return conversations


def pieces(conversations: Iterable[Conversation], words: Sequence[str]) -> Mapping[int, Piece]:
    """By primary key, of the message of each conversation that holds most of the words. One query, and never a whole text."""
    if not words:
        return {}
    held = [Case(When(_holding(word, "text"), then=1), default=0, output_field=IntegerField()) for word in words]
    places = [NullIf(StrIndex(Lower("text"), Lower(Value(spelling))), 0) for word in words for spelling in _spellings(word)]
    hits = (
        Message.objects.filter(conversation=OuterRef("pk"))
        .annotate(held=_sum(held), place=Coalesce(*places, 0))
        .filter(held__gt=0)
        .annotate(piece=Substr("text", Greatest(F("place") - BEFORE, 1), LENGTH))
        # A question mostly is the conversation's title: an answer tells more. Its role comes first in the alphabet.
        .order_by("-held", "role", "pk")
    )
    found = Conversation.objects.filter(pk__in=[conversation.pk for conversation in conversations])
    rows = found.annotate(
        piece=Subquery(hits.values("piece")[:1]), role=Subquery(hits.values("role")[:1]), place=Subquery(hits.values("place")[:1])
    )
    return {
        pk: Piece(marked(_tidy(piece, is_cut=place > BEFORE + 1), words), role == MessageRole.USER)
        for pk, title, piece, role, place in rows.values_list("pk", "title", "piece", "role", "place")
        if piece and " ".join(piece.split()) != title
    }


def marked(text: str, words: Sequence[str]) -> list[Part]:
    """The text in parts, those that were searched apart from the rest."""
    if not words:
        return [Part(text, is_found=False)]
    # The longest first, so that "tables" is marked whole where "table" was searched too.
    any_word = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return list(_parts(re.split(f"({any_word})", text, flags=re.IGNORECASE)))


def _parts(split: Sequence[str]) -> Iterator[Part]:
    for place, text in enumerate(split):
        if text:
            yield Part(text, is_found=place % 2 == 1)


def _tidy(piece: str, *, is_cut: bool) -> str:
    """On one line, without the signs of Markdown, cut at words."""
    text = " ".join(MARKUP.sub("", piece).split())
    if is_cut and " " in text[:BEFORE]:
        text = "…" + text.partition(" ")[2]
    if len(piece) == LENGTH and " " in text[-BEFORE:]:
        text = text.rpartition(" ")[0] + "…"
    return text


def _spellings(word: str) -> list[str]:
    # SQLite folds the case of ASCII alone, so a word with other letters is looked for in each of its usual spellings.
    return [word] if word.isascii() else list(dict.fromkeys([word, word.lower(), word.upper(), word.capitalize()]))


def _holding(word: str, column: str) -> Q:
    found = Q()
    for spelling in _spellings(word):
        found |= Q(**{f"{column}__icontains": spelling})
    return found


def _sum(terms: Sequence[Combinable]) -> Combinable:
    first, *rest = terms
    for term in rest:
        first = first + term
    return first
