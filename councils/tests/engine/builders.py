"""Small councils, steps and ballots for the tests of the engine."""

from collections.abc import Mapping, Sequence
from typing import Any

from councils.engine.steps import StepState, opinion_key, review_key
from councils.engine.templates import DEFAULT_PROMPTS
from councils.engine.types import Ballot, CouncilSpec, Seat, StepStatus, Verdict

NAMES = ("Ada Lovelace", "Blaise Pascal", "Carl Gauss", "Daniel Bernoulli", "Emmy Noether", "Felix Klein", "Georg Cantor")


def make_seats(count: int, **changes: Any) -> tuple[Seat, ...]:
    return tuple(Seat(agent_id=f"agent_{n}", name=NAMES[n - 1], model=f"vendor/model-{n}", **changes) for n in range(1, count + 1))


def make_spec(count: int = 4, **changes: Any) -> CouncilSpec:
    values: dict[str, Any] = {
        "name": "council",
        "seed": "seed",
        "seats": make_seats(count),
        "chairman": ("vendor/chair", "vendor/spare-chair"),
        "prompts": DEFAULT_PROMPTS,
    }
    return CouncilSpec(**(values | changes))


def outside_seat(number: int) -> Seat:
    return Seat(agent_id=f"outside_{number}", name=f"Outsider {number}", model=f"vendor/outside-{number}", answers=False)


def make_ballot(reviewer: str, *tiers: str | Sequence[str], weight: float = 1.0) -> Ballot:
    return Ballot(reviewer=reviewer, tiers=tuple((tier,) if isinstance(tier, str) else tuple(tier) for tier in tiers), weight=weight)


def scored_ballot(reviewer: str, scores: Mapping[str, float], *, weight: float = 1.0) -> Ballot:
    levels = sorted(set(scores.values()), reverse=True)
    return Ballot(
        reviewer=reviewer,
        tiers=tuple(tuple(answer for answer, score in scores.items() if score == level) for level in levels),
        weight=weight,
        verdicts=tuple(Verdict(agent_id=answer, score=score, reasoning=f"{reviewer} on {answer}") for answer, score in scores.items()),
    )


def steps_of(*states: StepState) -> dict[str, StepState]:
    return {state.key: state for state in states}


def opinion(number: int, text: str = "", *, round_: int = 1, **changes: Any) -> StepState:
    values: dict[str, Any] = {"status": StepStatus.DONE, "text": text or f"Answer number {number}.", "latency_s": 3.0}
    return StepState(key=opinion_key(f"agent_{number}", round_), **(values | changes))


def opinions(count: int) -> list[StepState]:
    return [opinion(number) for number in range(1, count + 1)]


def review(ballot: Ballot, *, round_: int = 1, **changes: Any) -> StepState:
    values: dict[str, Any] = {"status": StepStatus.DONE, "ballot": ballot, "latency_s": 3.0}
    return StepState(key=review_key(ballot.reviewer, round_), **(values | changes))


def honest_reviews(spec: CouncilSpec, order: Sequence[str]) -> list[StepState]:
    """Ballots of all reviewers by one common order, each without its own answer, scored 9, 8, 7, …"""
    ballots = []
    for seat in spec.reviewing():
        seen = [answer for answer in order if answer != seat.agent_id]
        ballots.append(review(scored_ballot(seat.agent_id, {answer: 9.0 - order.index(answer) for answer in seen})))
    return ballots
