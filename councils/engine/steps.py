"""The steps of a run: how they are named and what is known of each.

A key reads ``opinion:agent_3``, ``review:agent_1``, ``tally`` or ``synthesis``; the steps of an extra round end in ``:2``. An answer is
named by its key without the kind: ``agent_3`` is the first answer of that seat, ``agent_3:2`` its revision.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from councils.engine.errors import BudgetUsedUp
from councils.engine.tally import TallyResult
from councils.engine.types import Ballot, Stage, StepStatus

SYNTHESIS = "synthesis"
LAST_ROUND = 2

_STAGES = {"opinion": Stage.OPINIONS, "review": Stage.REVIEW, SYNTHESIS: Stage.SYNTHESIS}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """What is known of one step, as ``next_actions`` sees it.

    ``text`` is the opinion or the synthesis, ``ballot`` the counted vote of a review, ``tally`` the result of a counting step.
    ``elapsed_s`` is the time the step has been running in this owner's hands, ``latency_s`` what a finished one took.
    ``substituted`` says that a fallback model spoke for the seat, ``cut`` that the text ends at a limit on its length.
    """

    key: str
    status: StepStatus
    text: str = ""
    ballot: Ballot | None = None
    tally: TallyResult | None = None
    error_kind: str = ""
    latency_s: float | None = None
    elapsed_s: float = 0.0
    substituted: bool = False
    cut: bool = False


def is_out_of_budget(steps: Mapping[str, StepState]) -> bool:
    """Whether a budget has refused a call of this run: then none is begun any more."""
    return any(step.error_kind == BudgetUsedUp.kind for step in steps.values())


def opinion_key(agent_id: str, round_: int = 1) -> str:
    """The step in which a seat answers."""
    return f"opinion:{candidate_id(agent_id, round_)}"


def review_key(agent_id: str, round_: int = 1) -> str:
    """The step in which a seat casts its ballot."""
    return f"review:{candidate_id(agent_id, round_)}"


def tally_key(round_: int = 1) -> str:
    """The step in which the ballots of a round are counted."""
    return "tally" if round_ == 1 else f"tally:{round_}"


def candidate_id(agent_id: str, round_: int = 1) -> str:
    """The name of a seat's answer on ballots: the agent's own, or with the round for a revision."""
    return agent_id if round_ == 1 else f"{agent_id}:{round_}"


def author_of(candidate: str) -> str:
    """The agent that wrote this answer."""
    return candidate.partition(":")[0]


def stage_of(key: str) -> Stage:
    """The stage that a step's call belongs to; ``KeyError`` for a step without a call."""
    return _STAGES[key.partition(":")[0]]


def agent_of(key: str) -> str:
    """The agent whose step this is; empty for the tally and the synthesis."""
    return author_of(key.partition(":")[2]) if key.startswith(("opinion:", "review:")) else ""


def round_of(key: str) -> int:
    """The round a step belongs to, from 1."""
    return LAST_ROUND if key.endswith(f":{LAST_ROUND}") else 1


def finished_opinions(steps: Mapping[str, StepState], round_: int = 1) -> Iterator[StepState]:
    """The answers of a round that came in time."""
    return (
        step
        for step in steps.values()
        if step.key.startswith("opinion:") and round_of(step.key) == round_ and step.status is StepStatus.DONE
    )
