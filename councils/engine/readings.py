"""What was read out of a reviewer's reply, checked against the labels it was shown."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite

MIN_SCORE, MAX_SCORE = 1, 10

_SCORE_TEXT = re.compile(r"\s*(\d{1,3}(?:\.\d{1,6})?)\s*(?:(?:/|out of)\s*10(?:\.0)?)?\s*", re.IGNORECASE)
_EDGES = " \t\n*_`[](){}<>\"'.:#|-"


class BallotFault(StrEnum):
    """Kinds of replies that are no ballot."""

    EMPTY = "empty"
    NO_BALLOT = "no_ballot"
    QUOTED = "quoted"
    CONFLICT = "conflict"
    UNKNOWN_LABEL = "unknown_label"
    DOUBLED_LABEL = "doubled_label"
    MISSING_LABEL = "missing_label"
    BAD_SCORE = "bad_score"
    MISSING_SCORE = "missing_score"
    BAD_SHAPE = "bad_shape"
    BAD_ORDER = "bad_order"


@dataclass(frozen=True, slots=True)
class BallotProblem:
    """Why a reply is no ballot: a ``kind`` for records and a sentence that tells the model what to mend."""

    kind: BallotFault
    sentence: str


class Unreadable(Exception):
    """This looks like a ballot and is not a valid one."""

    def __init__(self, kind: BallotFault, sentence: str) -> None:
        super().__init__(sentence)
        self.problem = BallotProblem(kind, sentence)


@dataclass(frozen=True, slots=True)
class Reading:
    """A complete vote over the labels shown: tiers of labels, best first, with scores and reasons where given.

    ``coerced`` says that the shape had to be bent; ``source`` is the piece of text it was read from.
    """

    tiers: tuple[tuple[str, ...], ...]
    scores: Mapping[str, float]
    reasons: Mapping[str, str]
    coerced: bool = False
    source: str = field(default="", compare=False)

    def vote(self) -> tuple[frozenset[str], ...]:
        """What the ballot says, whatever its words: two readings with the same vote do not conflict."""
        return tuple(frozenset(tier) for tier in self.tiers)


class Names:
    """Finds the label that a reviewer means: exact, or in another case, in brackets, after a word such as "Response"."""

    def __init__(self, labels: Iterable[str]) -> None:
        self.labels = tuple(labels)
        self._folded = {label.casefold(): label for label in self.labels}
        self.pattern = "|".join(re.escape(label) for label in sorted(self.labels, key=len, reverse=True))

    def find(self, name: str) -> str | None:
        """The label, ``None`` if this is not one of those shown."""
        bare = name.strip(_EDGES).casefold()
        if bare in self._folded:
            return self._folded[bare]
        word, _, last = bare.rpartition(" ")
        return self._folded.get(last.strip(_EDGES)) if word.strip(_EDGES).isalpha() else None


def read_score(value: object, label: str) -> float:
    """A score from 1 to 10, given as a number or as "8" or "8/10"; ``Unreadable`` for anything else."""
    if isinstance(value, str):
        found = _SCORE_TEXT.fullmatch(value)
        value = float(found[1]) if found else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_number(value):
        raise Unreadable(BallotFault.BAD_SCORE, f"The score of {label} is not a number from 1 to 10.")
    if not MIN_SCORE <= value <= MAX_SCORE:
        raise Unreadable(BallotFault.BAD_SCORE, f"The score of {label} is outside 1 to 10.")
    return float(value)


def _is_number(value: float) -> bool:
    return isinstance(value, int) or isfinite(value)


def check_labels(given: Sequence[str], names: Names) -> list[str]:
    """The labels that these names mean: every label shown, exactly once, none invented; else ``Unreadable``."""
    found: list[str] = []
    for name in given:
        label = names.find(name)
        if label is None:
            raise Unreadable(BallotFault.UNKNOWN_LABEL, f"{name[:40]!r} is not one of the answers shown.")
        found.append(label)
    doubled = sorted({label for label in found if found.count(label) > 1})
    if doubled:
        raise Unreadable(BallotFault.DOUBLED_LABEL, f"Named more than once: {', '.join(doubled)}.")
    missing = [label for label in names.labels if label not in found]
    if missing:
        raise Unreadable(BallotFault.MISSING_LABEL, f"Missing: {', '.join(missing)}.")
    return found


def by_score(scores: Mapping[str, float], reasons: Mapping[str, str], *, coerced: bool) -> Reading:
    """The reading of a full set of scores: equal scores tie."""
    levels = sorted(set(scores.values()), reverse=True)
    tiers = tuple(tuple(label for label, score in scores.items() if score == level) for level in levels)
    return Reading(tiers, scores, reasons, coerced)


def agree_or_conflict(ranked: Reading, scored: Reading) -> Reading:
    """An order with scores beside it: they must not contradict each other."""
    place = {label: n for n, tier in enumerate(ranked.tiers) for label in tier}
    for one, first in scored.scores.items():
        for other, second in scored.scores.items():
            if first > second and place[one] > place[other]:
                raise Unreadable(BallotFault.CONFLICT, f"The order and the scores contradict each other: {one} and {other}.")
    return Reading(ranked.tiers, scored.scores, ranked.reasons or scored.reasons, coerced=True)
