"""How far the reviewers agree: one figure in [0, 1], or none where nothing could be compared.

It is called agreement, never confidence: models share their errors, and nine judges are worth about two votes (arXiv 2605.29800).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import comb
from typing import Any

from councils.engine.types import Ballot

# Variance of a score drawn evenly from 1-10, the "no agreement at all" of r_WG: (10² - 1) / 12.
_UNIFORM_VARIANCE = Fraction(99, 12)

_WORDS = ((Fraction(3, 4), "strong"), (Fraction(1, 2), "moderate"), (Fraction(1, 4), "weak"))


@dataclass(frozen=True, slots=True)
class PairCount:
    """How many ballots prefer one of two answers, the other, or neither."""

    first: int
    second: int
    tied: int

    @property
    def total(self) -> int:
        return self.first + self.second + self.tied


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """``u`` in [-1, 1] over ``denominator`` compared pairs of reviewers, and the ``score`` in [0, 1] that is shown.

    ``method`` is ``rankings`` (the score is ``max(0, u)``), ``scores`` (r_WG, where no two reviewers ranked the same pair) or
    ``none`` (not measurable, ``score`` is ``None``).
    """

    u: Fraction | None
    denominator: int
    score: Fraction | None
    method: str

    @property
    def word(self) -> str:
        """The score in one word for people."""
        if self.score is None:
            return "not measurable"
        return next((word for bound, word in _WORDS if self.score >= bound), "none")

    def to_json(self) -> dict[str, Any]:
        return {
            "u": as_float(self.u),
            "denominator": self.denominator,
            "score": as_float(self.score),
            "word": self.word,
            "method": self.method,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Agreement":
        return cls(u=as_fraction(data["u"]), denominator=data["denominator"], score=as_fraction(data["score"]), method=data["method"])


def as_float(value: Fraction | None) -> float | None:
    """A fraction as JSON carries it: six digits."""
    return None if value is None else round(float(value), 6)


def as_fraction(value: float | None) -> Fraction | None:
    """The decimal that a JSON number shows, exactly (``Fraction(0.1)`` would be the binary neighbour of 0.1)."""
    return None if value is None else Fraction(repr(value))


def ranks(ballot: Ballot) -> dict[str, int]:
    """The tier of each answer on a ballot, 0 is best."""
    return {answer: place for place, tier in enumerate(ballot.tiers) for answer in tier}


def pair_counts(ballots: Sequence[Ballot]) -> list[PairCount]:
    """For each pair of answers that some ballot holds, how the ballots order it. Weights do not enter."""
    placed = [ranks(ballot) for ballot in ballots]
    answers = sorted({answer for places in placed for answer in places})
    counts = [_count_pair(placed, one, other) for one, other in combinations(answers, 2)]
    return [count for count in counts if count.total]


def _count_pair(placed: Sequence[Mapping[str, int]], one: str, other: str) -> PairCount:
    differences = [places[one] - places[other] for places in placed if one in places and other in places]
    return PairCount(sum(d < 0 for d in differences), sum(d > 0 for d in differences), sum(d == 0 for d in differences))


def mean_pairwise_agreement(ballots: Sequence[Ballot]) -> tuple[Fraction | None, int]:
    """Mean agreement between two reviewers on a pair of answers, in [-1, 1], and the number of such comparisons.

    Two reviewers and two answers both have seen: +1 for the same order (or both tied), -1 for the opposite, 0 if only one ties.
    Equals the mean Kendall tau on complete untied ballots (Kendall & Babington Smith 1940). ``None`` where no two reviewers saw
    the same pair.
    """
    counts = pair_counts(ballots)
    compared = sum(comb(c.total, 2) for c in counts)
    if not compared:
        return None, 0
    agreeing = sum(comb(c.first, 2) + comb(c.second, 2) + comb(c.tied, 2) - c.first * c.second for c in counts)
    return Fraction(agreeing, compared), compared


def within_group_agreement(ballots: Sequence[Ballot]) -> Fraction | None:
    """r_WG of the scores: 1 - mean variance / 8.25 (James, Demaree & Wolf 1984); ``None`` with fewer than two answers scored twice."""
    by_answer: dict[str, list[Fraction]] = {}
    for ballot in ballots:
        for answer, score in ballot.scores().items():
            by_answer.setdefault(answer, []).append(Fraction(repr(score)))
    variances = [_variance(scores) for scores in by_answer.values() if len(scores) > 1]
    if len(variances) < 2:
        return None
    return 1 - sum(variances, Fraction(0)) / len(variances) / _UNIFORM_VARIANCE


def _variance(values: Sequence[Fraction]) -> Fraction:
    mean = sum(values, Fraction(0)) / len(values)
    return sum(((value - mean) ** 2 for value in values), Fraction(0)) / (len(values) - 1)


def agreement(ballots: Sequence[Ballot]) -> Agreement:
    """The consensus score of these ballots, from their rankings, else from their scores, else not measurable."""
    u, compared = mean_pairwise_agreement(ballots)
    if u is not None:
        return Agreement(u=u, denominator=compared, score=max(Fraction(0), u), method="rankings")
    within = within_group_agreement(ballots)
    if within is not None:
        return Agreement(u=None, denominator=0, score=max(Fraction(0), within), method="scores")
    return Agreement(u=None, denominator=0, score=None, method="none")
