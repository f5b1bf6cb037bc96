"""Who answers, which answers stand for the vote, who votes on them, and whether a vote is valid."""

from collections.abc import Mapping, Sequence

from councils.engine.steps import StepState, author_of, candidate_id, finished_opinions, opinion_key, review_key, tally_key
from councils.engine.tally import TallyResult, count
from councils.engine.types import Ballot, CouncilSpec, Seat, StepStatus

# With fewer ballots there is nothing to compare, with fewer answers on a ballot nothing to rank.
MIN_BALLOTS = 2
MIN_SEEN = 2

# What a member writes in an extra round when its first answer stands.
KEEP = "KEEP"

Steps = Mapping[str, StepState]


def answer_text(steps: Steps, candidate: str) -> str:
    """The text of a candidate."""
    return steps[f"opinion:{candidate}"].text


def candidates(spec: CouncilSpec, steps: Steps, round_: int = 1) -> tuple[str, ...]:
    """The answers that stand for the vote, in the order of the seats: those that came in time, then, in an extra round, the revisions."""
    first = {step.key for step in finished_opinions(steps)}
    standing = [seat.agent_id for seat in spec.answering() if opinion_key(seat.agent_id) in first]
    if round_ == 1:
        return tuple(standing)
    revised = (candidate_id(agent_id, round_) for agent_id in standing if _is_revised(steps, agent_id, round_))
    return (*standing, *revised)


def _is_revised(steps: Steps, agent_id: str, round_: int) -> bool:
    step = steps.get(opinion_key(agent_id, round_))
    if step is None or step.status is not StepStatus.DONE:
        return False
    text = _words(step.text)
    return text.strip("\"'*.` ").upper() != KEEP and text != _words(steps[opinion_key(agent_id)].text)


def _words(text: str) -> str:
    return " ".join(text.split())


def seen_by(agent_id: str, standing: Sequence[str]) -> tuple[str, ...]:
    """The answers that a reviewer is shown: all but its own."""
    # A reviewer's own answer is left out here, not at counting: what it never saw, it cannot favour.
    return tuple(candidate for candidate in standing if author_of(candidate) != agent_id)


def reviewers(spec: CouncilSpec, steps: Steps, round_: int = 1) -> tuple[Seat, ...]:
    """The seats asked for a ballot: those that gave an answer in time, or are there to review only, and see at least two answers.

    A seat whose opinion failed or is late is not asked: it has just shown that it does not answer.
    """
    standing = candidates(spec, steps, round_)
    return tuple(
        seat
        for seat in spec.reviewing()
        if (not seat.answers or seat.agent_id in standing) and len(seen_by(seat.agent_id, standing)) >= MIN_SEEN
    )


def can_review(spec: CouncilSpec, steps: Steps, round_: int = 1) -> bool:
    """Whether the reviewers, if all vote, make a valid vote. Two answers by two members cannot: each would see only the other's."""
    standing, panel = candidates(spec, steps, round_), reviewers(spec, steps, round_)
    seen = {candidate for seat in panel for candidate in seen_by(seat.agent_id, standing)}
    return len(panel) >= MIN_BALLOTS and seen.issuperset(standing)


def ballots(spec: CouncilSpec, steps: Steps, round_: int = 1) -> tuple[Ballot, ...]:
    """The valid ballots of a round, in the order of the seats."""
    cast = (steps.get(review_key(seat.agent_id, round_)) for seat in spec.reviewing())
    return tuple(step.ballot for step in cast if step and step.status is StepStatus.DONE and step.ballot is not None)


def is_valid_vote(spec: CouncilSpec, steps: Steps, round_: int = 1) -> bool:
    """At least two ballots, and every answer on at least one of them."""
    valid = ballots(spec, steps, round_)
    judged = {candidate for ballot in valid for candidate in ballot.ranked()}
    return len(valid) >= MIN_BALLOTS and judged.issuperset(candidates(spec, steps, round_))


def count_round(spec: CouncilSpec, steps: Steps, round_: int = 1) -> TallyResult:
    """Count the ballots of a round. Pure: the same steps give the same result."""
    asked = sum(review_key(seat.agent_id, round_) in steps for seat in spec.reviewing())
    standing = candidates(spec, steps, round_)
    return count(spec.voting_system, standing, ballots(spec, steps, round_), seed=spec.seed, cast=asked)


def final_tally(steps: Steps) -> TallyResult | None:
    """The result that counts: of the extra round if it came to a vote, else of the first."""
    for round_ in (2, 1):
        step = steps.get(tally_key(round_))
        if step is not None and step.tally is not None:
            return step.tally
    return None
