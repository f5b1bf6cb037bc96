"""An owner of a run, as short to write as the story of a test."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from councils.engine.reasons import Reason, ReasonCode
from councils.engine.steps import agent_of, stage_of
from councils.engine.types import RunStatus, StepStatus
from councils.models import CallStatus, CouncilRun, ModelCall, RunStep
from councils.snapshot import ModelTarget, Snapshot
from councils.store.calls import Begun, Booking, StepRef, StepWrite, begin_call, settle_call
from councils.store.claims import claim_run
from councils.store.events import Event, events_after
from councils.store.ownership import Claim, Life, show_life
from councils.store.runs import RunEnd, finish_run

ANSWERED = Booking(status=CallStatus.DONE, prompt_tokens=10, completion_tokens=20, usage_source="reported", cost_usd=Decimal("0.5"))
FAILED = Booking(status=CallStatus.BROKEN, cost_usd=Decimal(0), error_kind="broken_stream", error_detail="It broke off.", retry_in_s=1.0)
SUCCESS = RunEnd(status=RunStatus.SUCCEEDED, reason=Reason(ReasonCode.ONE_SEAT), answer="Blue.", answer_by="chairman")


def ref(key: str) -> StepRef:
    return StepRef(key=key, stage=stage_of(key), agent_id=agent_of(key))


@dataclass(frozen=True, slots=True)
class Owner:
    """One claim on one run."""

    run: CouncilRun
    claim: Claim
    target: ModelTarget

    @classmethod
    def of(cls, run: CouncilRun, *, worker: str = "first") -> Self:
        """Claim the run; an owner that it has is taken for dead."""
        run.refresh_from_db()
        claimed = claim_run(run.pk, worker=worker, dead=(run.epoch, run.heartbeat) if run.worker else None)
        assert claimed is not None
        return cls(run, claimed.claim, Snapshot.from_json(claimed.config_snapshot).models[_first_model(run)])

    def begin(self, key: str, *, attempt: int = 1) -> Begun:
        return begin_call(self.claim, ref(key), self.target, attempt=attempt)

    def settle(self, key: str, begun: Begun, booking: Booking = ANSWERED, result: StepWrite | None = None) -> tuple[bool, list[Event]]:
        settled = settle_call(self.claim, ref(key), begun, booking, result)
        return settled.accepted, settled.events

    def answer(self, key: str, text: str = "Blue.") -> Begun:
        """One call that brings the step's result."""
        begun = self.begin(key)
        assert self.settle(key, begun, ANSWERED, done(text))[0]
        return begun

    def is_alive(self, *, elapsed_ms: int = 1) -> bool:
        """Show life; whether the run is still this owner's."""
        return show_life([Life(self.claim, elapsed_ms)]) == []

    def finish(self, end: RunEnd = SUCCESS) -> list[Event]:
        return finish_run(self.claim, end)


def done(text: str = "Blue.") -> StepWrite:
    return StepWrite(status=StepStatus.DONE, text=text, model_name="fake")


def _first_model(run: CouncilRun) -> str:
    return str(run.config_snapshot["spec"]["seats"][0]["model"])


def events_of(run: CouncilRun) -> list[Event]:
    run.refresh_from_db()
    return events_after(run, 0)


def call_of(begun: Begun) -> ModelCall:
    return ModelCall.objects.get(pk=begun.call_pk)


def step_of(run: CouncilRun, key: str) -> RunStep:
    return RunStep.objects.get(run=run, key=key)


def amounts(begun: Begun) -> list[Any]:
    """What the ledger says of a call: (kind, amount) in order."""
    return [(entry.kind, entry.amount_usd) for entry in call_of(begun).entries.order_by("pk")]
