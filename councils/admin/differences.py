"""How one text differs from another, line by line and word by word, for pages that show both. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

_TOKENS = re.compile(r"\w+|\s+|[^\w\s]")
# Comparing takes the square of what is compared: longer lines are marked as a whole.
MOST_TOKENS = 1_500
ALIKE = 0.3
"""Two lines that share less than this part are another line each, not one line that was changed."""

Line = str | None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line; ``marked`` where the other text does not have it."""

    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of either text beside its counterpart. A number is ``None`` where that text has no such line."""

    old_number: int | None
    new_number: int | None
    old: Sequence[Piece] = ()
    new: Sequence[Piece] = ()

    @property
    def is_same(self) -> bool:
        return not any(piece.marked for piece in (*self.old, *self.new))


@dataclass(frozen=True, slots=True)
class Difference:
    """The rows of two texts. ``gaps`` are the places of rows before which lines that are the same were left out."""

    rows: Sequence[Row]
    gaps: frozenset[int] = frozenset()

    def short(self, around: int = 3) -> "Difference":
        """Only what differs and so many lines around it."""
        changed = [place for place, row in enumerate(self.rows) if not row.is_same]
        kept = sorted({place for one in changed for place in range(max(one - around, 0), min(one + around + 1, len(self.rows)))})
        gaps = {place for place, (row, before) in enumerate(zip(kept, [-1, *kept], strict=False)) if row != before + 1}
        return Difference([self.rows[place] for place in kept], frozenset(gaps))

    def __iter__(self) -> Iterator[tuple[bool, Row]]:
        """Each row, and whether lines were left out before it."""
        return ((place in self.gaps, row) for place, row in enumerate(self.rows))

    @property
    def is_none(self) -> bool:
        return all(row.is_same for row in self.rows)

    @property
    def removed(self) -> int:
        """Lines of the earlier text that are gone or another now."""
        return sum(not row.is_same and row.old_number is not None for row in self.rows)

    @property
    def added(self) -> int:
        return sum(not row.is_same and row.new_number is not None for row in self.rows)


def difference(old: str, new: str) -> Difference:
    """Both texts in rows from top to bottom. Ends of lines count as one kind."""
    return Difference(tuple(_rows(_lines(old), _lines(new))))


def _lines(text: str) -> list[str]:
    return text.splitlines()


def _rows(old: list[str], new: list[str]) -> Iterator[Row]:
    for kind, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            for shift, line in enumerate(old[old_from:old_to]):
                same = (Piece(line),)
                yield Row(old_number=old_from + shift + 1, new_number=new_from + shift + 1, old=same, new=same)
            continue
        old_part: list[tuple[int, Line]] = list(enumerate(old[old_from:old_to], start=old_from + 1))
        new_part: list[tuple[int, Line]] = list(enumerate(new[new_from:new_to], start=new_from + 1))
        for before, after in zip_longest(old_part, new_part, fillvalue=(0, None)):
            yield from _changed(before, after)


def _changed(before: tuple[int, Line], after: tuple[int, Line]) -> Iterator[Row]:
    (old_number, old), (new_number, new) = before, after
    if old is not None and new is not None and (pieces := _words(old, new)):
        yield Row(old_number=old_number, new_number=new_number, old=pieces[0], new=pieces[1])
        return
    if old is not None:
        yield Row(old_number=old_number, new_number=None, old=(Piece(old, marked=True),))
    if new is not None:
        yield Row(old_number=None, new_number=new_number, new=(Piece(new, marked=True),))


def _words(old: str, new: str) -> tuple[list[Piece], list[Piece]] | None:
    """The two lines with the words marked that the other one lacks; ``None`` where they have little in common."""
    ours, theirs = _TOKENS.findall(old), _TOKENS.findall(new)
    if max(len(ours), len(theirs)) > MOST_TOKENS:
        return None
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    if matcher.ratio() < ALIKE:
        return None
    before: list[Piece] = []
    after: list[Piece] = []
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        _add(before, "".join(ours[old_from:old_to]), marked=kind != "equal")
        _add(after, "".join(theirs[new_from:new_to]), marked=kind != "equal")
    return before, after


def _add(pieces: list[Piece], text: str, *, marked: bool) -> None:
    if text:
        pieces.append(Piece(text, marked))
