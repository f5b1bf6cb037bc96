"""Scores with the reviewers' leniency removed: a ridge regression solved exactly, in plain Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from councils.engine.methods import ZERO, exact
from councils.engine.types import Ballot

RIDGE = Fraction(1, 10)

Row = list[Fraction]
# The place of each unknown, ("answer", id) or ("reviewer", id), in the system of equations.
Columns = Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class LeniencyFit:
    """``values``: what each answer is worth on the 1-10 scale; ``leniency``: by how much each reviewer scores above the others."""

    values: dict[str, Fraction]
    leniency: dict[str, Fraction]


def fit(candidates: Sequence[str], ballots: Sequence[Ballot], *, ridge: Fraction = RIDGE) -> LeniencyFit | None:
    """Minimise Σ w_r (s_ri - μ - a_i - b_r)² + ridge (Σa² + Σb²), μ the weighted mean score; an answer's value is μ + a_i.

    A ballot that gives only an order has no say here: a score derived from ranks would say nothing about leniency. ``None`` unless
    every answer has a score on some ballot, because an unscored answer would be handed the mean.
    """
    scored = [ballot for ballot in ballots if ballot.scores()]
    seen = {answer for ballot in scored for answer in ballot.scores()}
    if not seen.issuperset(candidates):
        return None
    columns = {("answer", c): n for n, c in enumerate(candidates)}
    for ballot in scored:
        columns.setdefault(("reviewer", ballot.reviewer), len(columns))
    mean = _weighted_mean(scored)
    solution = solve(*_normal_equations(scored, columns, mean, ridge))
    values = {c: mean + solution[columns["answer", c]] for c in candidates}
    return LeniencyFit(values, {b.reviewer: solution[columns["reviewer", b.reviewer]] for b in scored})


def _normal_equations(ballots: Sequence[Ballot], columns: Columns, mean: Fraction, ridge: Fraction) -> tuple[list[Row], Row]:
    matrix: list[Row] = [[ridge if i == j else ZERO for j in range(len(columns))] for i in range(len(columns))]
    target: Row = [ZERO] * len(columns)
    for ballot in ballots:
        weight, b = exact(ballot.weight), columns["reviewer", ballot.reviewer]
        for answer, score in ballot.scores().items():
            a = columns["answer", answer]
            for i, j in ((a, a), (b, b), (a, b), (b, a)):
                matrix[i][j] += weight
            for i in (a, b):
                target[i] += weight * (exact(score) - mean)
    return matrix, target


def _weighted_mean(ballots: Sequence[Ballot]) -> Fraction:
    scores = [(exact(ballot.weight), exact(score)) for ballot in ballots for score in ballot.scores().values()]
    return sum((w * s for w, s in scores), ZERO) / sum((w for w, _ in scores), ZERO)


def solve(matrix: Sequence[Row], target: Row) -> Row:
    """The solution of a positive definite linear system, by Gaussian elimination; exact, and so free of pivoting."""
    rows = [[*row, value] for row, value in zip(matrix, target, strict=True)]
    for pivot, row in enumerate(rows):
        for lower in rows[pivot + 1 :]:
            factor = lower[pivot] / row[pivot]
            if factor:
                for column in range(pivot, len(row)):
                    lower[column] -= factor * row[column]
    solution: Row = [ZERO] * len(rows)
    for pivot in range(len(rows) - 1, -1, -1):
        known = sum((rows[pivot][j] * solution[j] for j in range(pivot + 1, len(rows))), ZERO)
        solution[pivot] = (rows[pivot][-1] - known) / rows[pivot][pivot]
    return solution
