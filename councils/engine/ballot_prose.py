"""Ballots in prose: ``T7K: 8/10`` lines, ``T7K > C4N`` chains, a numbered list after the last ranking header.

The order in which answers are mentioned is no vote.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter

from councils.engine.readings import BallotFault, Names, Reading, Unreadable, agree_or_conflict, by_score, check_labels, read_score

# A header stands alone on its line; "I'll end with FINAL RANKING: as asked" is not one.
_HEADER = re.compile(
    r"^[\W_]*(?:(?:my|the|final|overall)\s+)*"
    r"(?:rankings?|clasificaci[oó]n|classement|classifica|classificação|rangliste|rangfolge|ranglijst)"
    r"(?:\s+(?:final|finale|order))?[\W_]*$",
    re.IGNORECASE,
)
_ITEM = re.compile(r"^[\s>*_]*(\d{1,3})[.):]\s*(.+)$")
_OF_TEN = r"(?:/|out of)\s*10"
# What may stand around a label: a little markup, and one word such as "Response". Bounded, so that no text makes the search slow.
_EDGE = r"(?:[^\w\n]|_){0,8}"
_WORD = r"(?:[^\W\d_]{1,20}[ \t]{1,3})?"


def read_prose(text: str, names: Names) -> list[Reading]:
    """All complete votes written in prose; ``Unreadable`` if there is the beginning of one but no complete one."""
    readings: list[Reading] = []
    problems: list[Unreadable] = []
    for read in (_scores, _chains, _numbered):
        try:
            readings.extend(read(text, names))
        except Unreadable as problem:
            problems.append(problem)
    if problems and not readings:
        raise problems[-1]
    return _with_scores(readings)


def _with_scores(readings: list[Reading]) -> list[Reading]:
    """An order that fits the scores given beside it is one vote, not two."""
    scored = next((reading for reading in readings if reading.scores), None)
    orders = [reading for reading in readings if not reading.scores]
    return [agree_or_conflict(order, scored) for order in orders] if scored and orders else readings


def _scores(text: str, names: Names) -> Iterator[Reading]:
    label, number = rf"{_WORD}(?P<label>{names.pattern})", r"(?P<score>\d{1,3}(?:\.\d{1,6})?)"
    end = rf"[ \t]{{0,3}}(?:{_OF_TEN}\b.*|{_EDGE})$"
    line = re.compile(rf"^{_EDGE}{label}{_EDGE}[:=–—-]{_EDGE}(?:score{_EDGE})?{number}{end}", re.IGNORECASE | re.MULTILINE)
    found = list(line.finditer(text))
    if found:
        labels = check_labels([match["label"] for match in found], names)
        scores = {label: read_score(match["score"], label) for label, match in zip(labels, found, strict=True)}
        yield replace(by_score(scores, {}, coerced=True), source="\n".join(match[0].strip() for match in found))


def _chains(text: str, names: Names) -> Iterator[Reading]:
    label = rf"{_WORD}[*_`\[(]{{0,3}}(?:{names.pattern})[*_`\])]{{0,3}}"
    chain = re.compile(rf"(?<!\w){label}(?:\s{{0,3}}[>=≻]\s{{0,3}}{label})+(?!\w)", re.IGNORECASE)
    problem, complete = None, False
    for match in chain.finditer(text):
        try:
            reading = _read_chain(match[0], names, around=(text[: match.start()][-4:], text[match.end() :][:4]))
        except Unreadable as unreadable:
            # "A > B in style" may stand before the whole order.
            problem = unreadable
            continue
        complete = True
        yield reading
    if problem and not complete:
        raise problem


def _read_chain(chain: str, names: Names, *, around: tuple[str, str]) -> Reading:
    before, after = around
    if before.rstrip().endswith((">", "≻")) or after.lstrip().startswith((">", "≻", "=")):
        raise Unreadable(BallotFault.UNKNOWN_LABEL, "The order names something that is not one of the answers shown.")
    tiers = [tier.split("=") for tier in re.split("[>≻]", chain)]
    labels = iter(check_labels([name for tier in tiers for name in tier], names))
    return Reading(tuple(tuple(next(labels) for _ in tier) for tier in tiers), {}, {}, coerced=True, source=chain)


def _numbered(text: str, names: Names) -> Iterator[Reading]:
    items = _last_list(text)
    if items:
        start = re.compile(rf"^{_EDGE}{_WORD}{_EDGE}({names.pattern})(?!\w)", re.IGNORECASE)
        labels = check_labels([match[1] if (match := start.match(rest)) else rest for _, rest in items], names)
        yield Reading(_tiers([number for number, _ in items], labels), {}, {}, coerced=True, source="\n".join(rest for _, rest in items))


def _tiers(numbers: Sequence[int], labels: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    # "1. 1. 1." is how some write lists in Markdown: the numbers then say nothing.
    if list(numbers) != sorted(numbers) or numbers[0] != 1 or numbers[-1] == 1 < len(numbers):
        raise Unreadable(BallotFault.BAD_ORDER, "The numbers of the list give no order.")
    tiers = groupby(zip(numbers, labels, strict=True), key=itemgetter(0))
    return tuple(tuple(label for _, label in tier) for _, tier in tiers)


def _last_list(text: str) -> list[tuple[int, str]]:
    lines = text.splitlines()
    headers = [number for number, line in enumerate(lines) if _HEADER.match(line)]
    return list(_items(lines[headers[-1] + 1 :])) if headers else []


def _items(lines: list[str]) -> Iterator[tuple[int, str]]:
    """The first list after the header; blank lines may stand in it, other text ends it."""
    begun = False
    for line in lines:
        item = _ITEM.match(line)
        if item:
            begun = True
            yield int(item[1]), item[2]
        elif begun and line.strip() and not line.startswith((" ", "\t")):
            return
