"""What the host is asked to do next. The engine decides, the host acts and records."""

from dataclasses import dataclass

from councils.engine.reasons import Reason
from councils.engine.types import Mark, RunStatus, Stage


@dataclass(frozen=True, slots=True)
class StartCall:
    """Begin this step: ``prompts.prepare`` says what to send, ``outcome.conclude`` what came of it.

    ``agent_id`` is empty for the chairman.
    """

    key: str
    stage: Stage
    agent_id: str


@dataclass(frozen=True, slots=True)
class MarkLate:
    """Do not wait for this running step any more. Its call may go on; what comes is stored and shown, and not used."""

    key: str


@dataclass(frozen=True, slots=True)
class FailStep:
    """Cancel this step's call: its deadline has passed."""

    key: str
    error_kind: str


@dataclass(frozen=True, slots=True)
class CountVotes:
    """Count the ballots (``deliberation.count_votes``) and store the result under this key."""

    key: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The run is over. ``answer_by`` is ``chairman`` or an agent id, empty without an answer."""

    status: RunStatus
    answer: str
    answer_by: str
    marks: frozenset[Mark]
    reason: Reason


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until a call reports or this time has passed (``None``: no limit)."""

    at_most_s: float | None


Action = StartCall | MarkLate | FailStep | CountVotes | Finish | Wait
