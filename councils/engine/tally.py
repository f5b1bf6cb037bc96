"""What the ballots say: the council's own method decides, the other methods are computed beside it and shown when they disagree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import attrgetter
from typing import Any

from councils.engine.agreement import Agreement, agreement, as_float, as_fraction
from councils.engine.leniency import fit
from councils.engine.methods import (
    ZERO,
    RunOff,
    copeland,
    has_cycle,
    leading,
    normalised_borda,
    order_by,
    pairwise,
    schulze_wins,
)
from councils.engine.types import Ballot, BallotRung, Verdict, VotingSystem

CONSENSUS_SHARE = Fraction(2, 3)
CONSENSUS_SCORE = Fraction(1, 2)

Shares = dict[str, Fraction]


@dataclass(frozen=True, slots=True)
class Round:
    """One round of the run-off: each remaining answer's share of the votes it could get, and the answer dropped after it."""

    shares: Mapping[str, Fraction]
    dropped: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyResult:
    """The count of one round of ballots. Figures are exact; ``to_json`` rounds them to six digits.

    ``order`` is best first by ``system``, ``winner`` its head. ``margin`` is the winner's normalised Borda less that of its best
    rival: negative where the method's winner is not the Borda winner, ``None`` without a rival. ``winners`` names each method's
    winner; ``contested`` means that some method does not have the winner among its best. ``weighted`` and ``leniency`` are
    ``None`` unless every answer was scored. ``reached`` says whether a consensus was reached, ``None`` under the other systems.
    ``counted`` of ``cast`` ballots were valid.
    """

    system: VotingSystem
    winner: str
    order: tuple[str, ...]
    rounds: tuple[Round, ...]
    pairwise: Mapping[str, Mapping[str, Fraction]]
    borda: Mapping[str, Fraction]
    copeland: Mapping[str, Fraction]
    schulze_wins: Mapping[str, int]
    weighted: Mapping[str, Fraction] | None
    leniency: Mapping[str, Fraction] | None
    agreement: Agreement
    margin: Fraction | None
    winners: Mapping[str, str]
    contested: bool
    has_cycle: bool
    reached: bool | None
    counted: int
    cast: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; ``from_json`` reads it back to a result with the same JSON."""
        return {
            "system": self.system.value,
            "winner": self.winner,
            "order": list(self.order),
            "rounds": [{"shares": _floats(r.shares), "dropped": r.dropped} for r in self.rounds],
            "pairwise": {one: _floats(row) for one, row in self.pairwise.items()},
            "borda": _floats(self.borda),
            "copeland": _floats(self.copeland),
            "schulze_wins": dict(self.schulze_wins),
            "weighted": _floats(self.weighted) if self.weighted is not None else None,
            "leniency": _floats(self.leniency) if self.leniency is not None else None,
            "agreement": self.agreement.to_json(),
            "margin": as_float(self.margin),
            "winners": dict(self.winners),
            "contested": self.contested,
            "has_cycle": self.has_cycle,
            "reached": self.reached,
            "counted": self.counted,
            "cast": self.cast,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "TallyResult":
        """The result that this JSON describes; ``KeyError`` or ``ValueError`` where it is not one."""
        return cls(
            system=VotingSystem(data["system"]),
            winner=data["winner"],
            order=tuple(data["order"]),
            rounds=tuple(Round(_fractions(r["shares"]), r["dropped"]) for r in data["rounds"]),
            pairwise={one: _fractions(row) for one, row in data["pairwise"].items()},
            borda=_fractions(data["borda"]),
            copeland=_fractions(data["copeland"]),
            schulze_wins=dict(data["schulze_wins"]),
            weighted=_fractions(data["weighted"]) if data["weighted"] is not None else None,
            leniency=_fractions(data["leniency"]) if data["leniency"] is not None else None,
            agreement=Agreement.from_json(data["agreement"]),
            margin=as_fraction(data["margin"]),
            winners=dict(data["winners"]),
            contested=data["contested"],
            has_cycle=data["has_cycle"],
            reached=data["reached"],
            counted=data["counted"],
            cast=data["cast"],
        )


def _floats(values: Mapping[str, Fraction]) -> dict[str, float]:
    return {name: round(float(value), 6) for name, value in values.items()}


def _fractions(values: Mapping[str, float]) -> Shares:
    return {name: Fraction(repr(value)) for name, value in values.items()}


def count(system: VotingSystem, candidates: Sequence[str], ballots: Sequence[Ballot], *, seed: str, cast: int | None = None) -> TallyResult:
    """Count these ballots. ``seed`` fixes ties, ``cast`` is the number of ballots asked for (by default those given).

    ``weighted`` without a score for every answer orders by normalised Borda; ``consensus`` that is not reached falls back on the
    ranked-choice order. ``ValueError`` without candidates.
    """
    if not candidates:
        raise ValueError("There is nothing to vote on.")
    # A fixed order of work makes the result independent of the order in which ballots and answers came.
    candidates = sorted(candidates)
    ballots = sorted((_restricted(ballot, candidates) for ballot in ballots), key=attrgetter("reviewer"))
    matrix = pairwise(candidates, ballots)
    borda, duels, paths = normalised_borda(candidates, ballots), copeland(matrix), schulze_wins(matrix)
    run_off = RunOff(candidates, ballots, borda=borda, matrix=matrix, seed=seed)
    fitted = fit(candidates, ballots)
    values = fitted.values if fitted else borda
    orders = {
        "ranked_choice": run_off.order,
        "weighted": order_by(candidates, values, borda, seed=seed),
        "consensus": order_by(candidates, duels, borda, seed=seed),
    }
    agreed = agreement(ballots)
    reached = _consensus(orders["consensus"][0], matrix, agreed) if system is VotingSystem.CONSENSUS else None
    order = orders["ranked_choice" if reached is False else system.value]
    best = {
        "ranked_choice": frozenset(run_off.order[:1]),
        "weighted": leading(values),
        "borda": leading(borda),
        "copeland": leading(duels),
        "schulze": leading(paths),
    }
    return TallyResult(
        system=system,
        winner=order[0],
        order=order,
        rounds=tuple(map(Round, run_off.rounds, run_off.dropped)),
        pairwise=matrix,
        borda=borda,
        copeland=duels,
        schulze_wins=paths,
        weighted=fitted.values if fitted else None,
        leniency=fitted.leniency if fitted else None,
        agreement=agreed,
        margin=_margin(order[0], borda),
        winners=_winners(best, borda, seed),
        contested=order[0] not in frozenset.intersection(*best.values()),
        has_cycle=has_cycle(matrix),
        reached=reached,
        counted=len(ballots),
        cast=len(ballots) if cast is None else cast,
    )


def _restricted(ballot: Ballot, candidates: Sequence[str]) -> Ballot:
    known = set(candidates)
    if known.issuperset(ballot.ranked()):
        return ballot
    tiers = (tuple(answer for answer in tier if answer in known) for tier in ballot.tiers)
    return Ballot(
        reviewer=ballot.reviewer,
        tiers=tuple(tier for tier in tiers if tier),
        weight=ballot.weight,
        verdicts=tuple(verdict for verdict in ballot.verdicts if verdict.agent_id in known),
        rung=ballot.rung,
    )


def _consensus(leader: str, matrix: Mapping[str, Mapping[str, Fraction]], agreed: Agreement) -> bool:
    if agreed.score is None or agreed.score < CONSENSUS_SCORE:
        return False
    duels = [(mine, mine + matrix[rival][leader]) for rival, mine in matrix[leader].items()]
    return all(met > ZERO and mine / met >= CONSENSUS_SHARE for mine, met in duels)


def _margin(winner: str, borda: Mapping[str, Fraction]) -> Fraction | None:
    rivals = [value for candidate, value in borda.items() if candidate != winner]
    return borda[winner] - max(rivals) if rivals else None


def _winners(best: Mapping[str, frozenset[str]], borda: Mapping[str, Fraction], seed: str) -> dict[str, str]:
    return {method: order_by(tied, borda, seed=seed)[0] for method, tied in best.items()}


def ballot_to_json(ballot: Ballot) -> dict[str, Any]:
    """A ballot as plain JSON; ``ballot_from_json`` reads back an equal one."""
    return {
        "reviewer": ballot.reviewer,
        "tiers": [list(tier) for tier in ballot.tiers],
        "weight": ballot.weight,
        "verdicts": [{"agent_id": v.agent_id, "score": v.score, "reasoning": v.reasoning} for v in ballot.verdicts],
        "rung": ballot.rung.value,
    }


def ballot_from_json(data: Mapping[str, Any]) -> Ballot:
    """The ballot that this JSON describes; ``KeyError`` or ``ValueError`` where it is not one."""
    return Ballot(
        reviewer=data["reviewer"],
        tiers=tuple(tuple(tier) for tier in data["tiers"]),
        weight=data["weight"],
        verdicts=tuple(Verdict(agent_id=v["agent_id"], score=v["score"], reasoning=v["reasoning"]) for v in data["verdicts"]),
        rung=BallotRung(data["rung"]),
    )
