"""What the chairman is given and asked to do, depending on the council's mode and on what the vote says."""

from collections.abc import Mapping
from fractions import Fraction

from councils.engine.panel import Steps, ballots, candidates, final_tally
from councils.engine.tally import TallyResult
from councils.engine.types import ChairmanMode, CouncilSpec

# A winner this far ahead, with strong agreement, is edited and not rewritten.
CLEAR_MARGIN = Fraction(1, 5)

NOTES_OPEN, NOTES_CLOSE = "<notes>", "</notes>"


def selection(spec: CouncilSpec, steps: Steps) -> tuple[str, ...]:
    """The answers that the chairman reads, best first: the top K, and any that some reviewer put first. All of them without a vote.

    More would cost the chairman's attention; but what one reviewer thought best is never lost on the way.
    """
    tally = final_tally(steps)
    if tally is None:
        return candidates(spec, steps)
    favourites = {answer for round_ in (1, 2) for ballot in ballots(spec, steps, round_) for answer in ballot.tiers[0]}
    return tuple(answer for place, answer in enumerate(tally.order) if place < spec.top_k or answer in favourites)


def is_disputed(tally: TallyResult) -> bool:
    """Whether the vote is one that the answer has to speak of: no agreement, a circle, or a consensus that was not reached."""
    return tally.agreement.word == "none" or tally.has_cycle or tally.reached is False


def is_clear(tally: TallyResult) -> bool:
    """Whether the winner needs no more than a light edit."""
    return tally.agreement.word == "strong" and tally.margin is not None and tally.margin >= CLEAR_MARGIN


def chairman_task(spec: CouncilSpec, tally: TallyResult | None, labels: Mapping[str, str]) -> str:
    """What to do, in plain words. ``labels`` name the answers (answer → label)."""
    if tally is not None and is_disputed(tally):
        return "The reviewers disagree. Write the best answer to the question, and say plainly where the answers differ and why."
    if spec.chairman_mode is ChairmanMode.SELECT_BEST:
        return "Choose the best answer. Write it again word for word, and nothing else."
    if spec.chairman_mode is ChairmanMode.SYNTHESIZE:
        return (
            f"First list between {NOTES_OPEN} and {NOTES_CLOSE} what only one of the answers says. Then write one complete answer to the "
            "question, better than each of them. Do not mention the answers or their labels."
        )
    if tally is None:
        return "Write the best answer to the question. Use what is right in the answers. Write only your answer."
    return _from_the_vote(tally, labels[tally.winner])


def _from_the_vote(tally: TallyResult, best: str) -> str:
    """How much of the winner to keep."""
    if tally.margin == 0:
        return "The reviewers see no difference between the best answers. Write the best answer to the question from them. Write only it."
    if is_clear(tally):
        return f"{best} is the best answer. Write it again with its mistakes corrected and nothing else changed. Write only the answer."
    return f"Write the best answer to the question. Begin with {best}, add what the others do better. Write only your answer."


def result_line(tally: TallyResult | None, labels: Mapping[str, str]) -> str:
    """The vote in two sentences, empty without one."""
    if tally is None:
        return ""
    order = ", ".join(labels[answer] for answer in tally.order if answer in labels)
    return f"The reviewers' order, best first: {order}. Agreement between reviewers: {tally.agreement.word}."
