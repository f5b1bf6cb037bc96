"""One run in the hands of this process: what its calls and its driver share."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from councils.caching.flights import Flights
from councils.engine.deliberation import StepState
from councils.engine.fences import without_controls
from councils.engine.tally import TallyResult, ballot_from_json
from councils.engine.types import CUT, ChatMessage, CouncilSpec, Stage, StepStatus
from councils.live.broadcast import Broadcast
from councils.models import RunStep
from councils.runner.switchboard import Switchboard
from councils.runner.watching import RunWatch
from councils.runner.writer import Writer
from councils.snapshot import Snapshot
from councils.store.claims import Claimed
from councils.store.ownership import Claim


@dataclass(slots=True, kw_only=True)
class RunWork:
    """``steps`` is the engine's view, kept in step with the database: changed only after the commit that makes it true."""

    claim: Claim
    snapshot: Snapshot
    sealed_keys: Mapping[str, str]
    question: str
    history: tuple[ChatMessage, ...]
    steps: dict[str, StepState]
    attempts: dict[str, int]
    broadcast: Broadcast
    writer: Writer
    board: Switchboard
    flights: Flights
    earlier_s: float
    watch: RunWatch
    claimed_at: float = field(default_factory=time.monotonic)
    begun_at: dict[str, float] = field(default_factory=dict)
    # Steps that are not waited for, from the moment that this is decided: the commit that says so may still be under way.
    given_up: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, claimed: Claimed, writer: Writer, board: Switchboard, flights: Flights) -> "RunWork":
        return cls(
            claim=claimed.claim,
            snapshot=Snapshot.from_json(claimed.config_snapshot),
            sealed_keys=claimed.sealed_keys,
            question=claimed.question,
            history=claimed.history,
            steps={step.key: step_state(step) for step in claimed.steps},
            attempts=dict(claimed.attempts),
            broadcast=Broadcast(claimed.claim.public_id),
            writer=writer,
            board=board,
            flights=flights,
            earlier_s=claimed.elapsed_ms / 1000,
            watch=RunWatch(claimed.claim.public_id, resumed=claimed.claim.epoch > 1),
        )

    @property
    def spec(self) -> CouncilSpec:
        return self.snapshot.spec

    def elapsed_s(self) -> float:
        """Time spent on this run by all its owners, each by its own monotonic clock."""
        return self.earlier_s + time.monotonic() - self.claimed_at

    def left_s(self) -> float:
        """Time until the run's deadline, at least a moment."""
        return max(self.spec.run_deadline_s - self.elapsed_s(), 0.1)

    def next_attempt(self, key: str) -> int:
        self.attempts[key] = self.attempts.get(key, 0) + 1
        return self.attempts[key]

    def unfinished(self, key: str) -> str:
        """What a step has written so far, fit to be stored: people see it when the rest does not come. It is never judged or counted."""
        return without_controls(self.broadcast.draft(key))


def step_state(row: RunStep) -> StepState:
    """The engine's view of a stored step."""
    ballot, tally = row.payload.get("ballot"), row.payload if row.stage == Stage.REVIEW.value and not row.agent_id else None
    return StepState(
        key=row.key,
        status=StepStatus(row.status),
        text=row.text,
        ballot=ballot_from_json(ballot) if ballot else None,
        tally=TallyResult.from_json(tally) if tally else None,
        error_kind=row.error_kind,
        latency_s=None if row.latency_ms is None else row.latency_ms / 1000,
        substituted=row.substituted,
        cut=row.finish_reason in CUT,
    )
