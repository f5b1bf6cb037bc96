"""How councils of the invented past voted: a few dozen real counts for each council, used again and again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from councils.engine.tally import ballot_to_json, count
from councils.engine.types import Ballot, Verdict, VotingSystem

COUNTS = 40
REASONS = (
    "It answers what was asked and gives its reasons.",
    "It is right, but leaves out what it costs.",
    "It guesses where it should say so.",
)


@dataclass(frozen=True, slots=True)
class Vote:
    """Ballots by reviewer and what they came to, as steps keep them. ``score`` is how much they agreed, 0-1."""

    ballots: Mapping[str, Any]
    tally: Mapping[str, Any]
    score: float | None


def make_votes(random: Random, system: str, qualities: Sequence[float]) -> list[Vote]:
    """Counts of councils whose seats are as good as this (0-1): better answers mostly come first, opinions differ."""
    agents = [f"agent_{place}" for place in range(1, len(qualities) + 1)]
    return [_vote(random, system, dict(zip(agents, qualities, strict=True))) for _ in range(COUNTS)]


def _vote(random: Random, system: str, quality: Mapping[str, float]) -> Vote:
    spread = random.choice((0.05, 0.15, 0.4))
    ballots = [_ballot(random, reviewer, quality, spread) for reviewer in quality]
    tally = count(VotingSystem(system), list(quality), ballots, seed=str(random.random()), cast=len(ballots))
    score = tally.agreement.score
    steps = {ballot.reviewer: {"ballot": ballot_to_json(ballot)} for ballot in ballots}
    return Vote(steps, tally.to_json(), None if score is None else float(score))


def _ballot(random: Random, reviewer: str, quality: Mapping[str, float], spread: float) -> Ballot:
    seen = {agent: random.gauss(value, spread) for agent, value in quality.items() if agent != reviewer}
    order = sorted(seen, key=lambda agent: seen[agent], reverse=True)
    verdicts = tuple(
        Verdict(agent_id=agent, score=max(9 - place, 1), reasoning=random.choice(REASONS)) for place, agent in enumerate(order)
    )
    return Ballot(reviewer=reviewer, tiers=tuple((agent,) for agent in order), verdicts=verdicts)
