"""The voting methods, each a pure function of ballots. Exact: every figure is a ``Fraction``.

Ballots may lack answers (a reviewer never sees its own). What a ballot does not hold, it says nothing about: an unseen answer is
never "last".
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from hashlib import sha256
from itertools import permutations

from councils.engine.agreement import ranks
from councils.engine.types import Ballot

Scores = Mapping[str, Fraction]
Pairwise = Mapping[str, Mapping[str, Fraction]]

ZERO = Fraction(0)
HALF = Fraction(1, 2)


def exact(number: float) -> Fraction:
    """The decimal that a float shows: 0.1 is one tenth."""
    return Fraction(repr(number))


def tie_break(seed: str, candidate: str) -> str:
    """A fixed order among equals that no one can aim at; ascending."""
    return sha256(f"{seed}:{candidate}".encode()).hexdigest()


def pairwise(candidates: Sequence[str], ballots: Sequence[Ballot]) -> dict[str, dict[str, Fraction]]:
    """``P[i][j]``: weight of the ballots with i above j, plus half of those that tie them, over ballots that hold both."""
    matrix = {one: {other: ZERO for other in candidates if other != one} for one in candidates}
    for ballot in ballots:
        weight, places = exact(ballot.weight), ranks(ballot)
        for one, other in ((a, b) for a in places for b in places if a != b):
            if places[one] <= places[other]:
                matrix[one][other] += weight if places[one] < places[other] else weight * HALF
    return matrix


def normalised_borda(candidates: Sequence[str], ballots: Sequence[Ballot]) -> dict[str, Fraction]:
    """Weighted mean of (k - rank) / (k - 1) over the ballots that hold the answer; k is the ballot's length, ties take the mid-rank.

    A mean, not a sum: with a failed reviewer a sum favours the answer that this reviewer would not have judged.
    """
    points, weights = dict.fromkeys(candidates, ZERO), dict.fromkeys(candidates, ZERO)
    for ballot in ballots:
        weight = exact(ballot.weight)
        for candidate, point in _borda_points(ballot).items():
            points[candidate] += weight * point
            weights[candidate] += weight
    return {c: points[c] / weights[c] if weights[c] else ZERO for c in candidates}


def _borda_points(ballot: Ballot) -> dict[str, Fraction]:
    length, above, points = len(ballot.ranked()), 0, {}
    if length < 2:
        return {}
    for tier in ballot.tiers:
        rank = above + Fraction(len(tier) + 1, 2)
        points.update(dict.fromkeys(tier, (length - rank) / (length - 1)))
        above += len(tier)
    return points


def copeland(matrix: Pairwise) -> dict[str, Fraction]:
    """(wins + ½ ties) ÷ opponents met; 0 for an answer that met none."""
    return {candidate: _copeland_of(candidate, matrix) for candidate in matrix}


def _copeland_of(candidate: str, matrix: Pairwise) -> Fraction:
    duels = [(mine, matrix[rival][candidate]) for rival, mine in matrix[candidate].items() if mine or matrix[rival][candidate]]
    won = sum((HALF if mine == theirs else Fraction(mine > theirs) for mine, theirs in duels), ZERO)
    return won / len(duels) if duels else ZERO


def schulze_wins(matrix: Pairwise) -> dict[str, int]:
    """How many rivals each answer beats by its widest path, path strength by margins (Schulze 2011)."""
    width = {i: {j: max(matrix[i][j] - matrix[j][i], ZERO) for j in matrix[i]} for i in matrix}
    for via, i, j in permutations(matrix, 3):
        width[i][j] = max(width[i][j], min(width[i][via], width[via][j]))
    return {i: sum(width[i][j] > width[j][i] for j in width[i]) for i in matrix}


def has_cycle(matrix: Pairwise) -> bool:
    """Whether the majority goes round in a circle somewhere (A beats B beats C beats A)."""
    beats = {i: {j for j in matrix[i] if matrix[i][j] > matrix[j][i]} for i in matrix}
    while beats:
        # Answers that beat no remaining rival cannot be on a circle; if none is like that, the rest contains one.
        free = [candidate for candidate, beaten in beats.items() if not beaten & beats.keys()]
        if not free:
            return True
        for candidate in free:
            del beats[candidate]
    return False


def order_by(candidates: Iterable[str], *keys: Scores, seed: str) -> tuple[str, ...]:
    """Best first by the first key, ties by the next ones, then by the seeded tie-break."""
    return tuple(sorted(candidates, key=lambda c: (*(-key[c] for key in keys), _late(tie_break(seed, c)))))


def _late(digest: str) -> int:
    # Ascending in elimination order means that the smallest digest goes out first: among equals the largest one leads.
    return -int(digest, 16)


class RunOff:
    """Instant run-off on incomplete, tied, weighted ballots; ``rounds`` are the shares of each round, ``dropped`` who left after it.

    Each round every ballot gives its weight to its top tier among those left, split equally inside a tie. A share is votes ÷ weight
    of the ballots on which the answer stands, so that nobody gains or loses by being unseen. It goes on until one is left: stopping
    at 50 % would hide how the rest compares.
    """

    def __init__(self, candidates: Sequence[str], ballots: Sequence[Ballot], *, borda: Scores, matrix: Pairwise, seed: str) -> None:
        self._ballots = ballots
        self._borda = borda
        self._matrix = matrix
        self._seed = seed
        self._eligible = dict.fromkeys(candidates, ZERO)
        for ballot in ballots:
            for candidate in ballot.ranked():
                self._eligible[candidate] += exact(ballot.weight)
        self.rounds: list[dict[str, Fraction]] = []
        self.dropped: list[str] = []
        left = list(candidates)
        while len(left) > 1:
            self.rounds.append(self._shares(left))
            self.dropped.append(self._drop(self.rounds[-1]))
            left.remove(self.dropped[-1])
        self.order = (*left, *reversed(self.dropped))

    def _shares(self, left: Sequence[str]) -> dict[str, Fraction]:
        votes = dict.fromkeys(left, ZERO)
        for ballot in self._ballots:
            top = next((kept for tier in ballot.tiers if (kept := [c for c in tier if c in votes])), [])
            for candidate in top:
                votes[candidate] += exact(ballot.weight) / len(top)
        return {c: votes[c] / self._eligible[c] if self._eligible[c] else ZERO for c in left}

    def _drop(self, shares: Scores) -> str:
        lowest = min(shares.values())
        tied = [candidate for candidate, share in shares.items() if share == lowest]
        return min(tied, key=lambda c: (self._borda[c], self._duels_won(c, tied), tie_break(self._seed, c)))

    def _duels_won(self, candidate: str, rivals: Sequence[str]) -> int:
        return sum(self._matrix[candidate][r] > self._matrix[r][candidate] for r in rivals if r != candidate)


def leading(values: Mapping[str, Fraction] | Mapping[str, int]) -> frozenset[str]:
    """All answers that share the highest value."""
    best = max(values.values())
    return frozenset(candidate for candidate, value in values.items() if value == best)
