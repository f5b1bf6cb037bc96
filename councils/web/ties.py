"""Which neighbours in the order of a count only the lot has told apart: a page must not show that as a victory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from councils.engine.tally import Round, TallyResult
from councils.engine.types import VotingSystem


def shared_places(tally: TallyResult) -> Mapping[str, int]:
    """The place of each answer from 1. Answers that are equal in all that the council's method looks at share the better one."""
    told_apart = _run_off(tally) if is_run_off(tally) else _by_figures(tally)
    places: dict[str, int] = {}
    above = ""
    for place, candidate in enumerate(tally.order, start=1):
        places[candidate] = places[above] if above and not told_apart(above, candidate) else place
        above = candidate
    return places


def is_run_off(tally: TallyResult) -> bool:
    """Whether the order comes from the run-off: always under ranked choice, and where no consensus was reached."""
    return tally.system is VotingSystem.RANKED_CHOICE or tally.reached is False


def _by_figures(tally: TallyResult) -> Callable[[str, str], bool]:
    """Under the systems that order by a figure, equal points break its ties."""
    figures: Mapping[str, Any] = tally.copeland if tally.system is VotingSystem.CONSENSUS else (tally.weighted or tally.borda)
    return lambda one, other: (figures[one], tally.borda[one]) != (figures[other], tally.borda[other])


def _run_off(tally: TallyResult) -> Callable[[str, str], bool]:
    """Told apart by the round in which the lower one dropped out, unless they had been equal in every figure before the first lot."""
    rounds = {round_.dropped: round_ for round_ in tally.rounds}

    def figures(candidate: str) -> Sequence[Any]:
        return tally.rounds[0].shares[candidate], tally.borda[candidate], tally.copeland[candidate], tally.schulze_wins[candidate]

    def told_apart(above: str, below: str) -> bool:
        if figures(above) == figures(below):
            return False
        return _standing(tally, rounds[below], above) != _standing(tally, rounds[below], below)

    return told_apart


def _standing(tally: TallyResult, round_: Round, candidate: str) -> Sequence[Any]:
    """What the run-off looks at in a round before it draws a lot: the share, then the points, then the duels with its equals."""
    share = round_.shares[candidate]
    equals = [other for other, its in round_.shares.items() if its == share and other != candidate]
    duels = sum(tally.pairwise[candidate][other] > tally.pairwise[other][candidate] for other in equals)
    return share, tally.borda[candidate], duels
