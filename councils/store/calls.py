"""Paid calls: written down before they are sent, booked with what they brought."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from councils.engine.events import EventType
from councils.engine.types import Stage, StepStatus
from councils.models import CallStatus, CouncilRun, EntryKind, LedgerEntry, ModelCall, ModelInfo, RunStep
from councils.snapshot import ModelTarget
from councils.store.events import Event, append, hold, keep, step_facts, step_texts
from councils.store.ownership import Claim, is_owner, own


class StepHasResult(Exception):
    """This step has its result already; nothing more may be asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRef:
    """Which step: its key and where it belongs. ``agent_id`` is empty for tally and synthesis."""

    key: str
    stage: Stage
    agent_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWrite:
    """What became of a step."""

    status: StepStatus
    text: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    error_kind: str = ""
    error_message: str = ""
    model_name: str = ""
    substituted: bool = False
    finish_reason: str = ""
    latency_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An attempt that is written down and may now be sent."""

    call_pk: int
    call_id: str
    attempt: int
    events: Sequence[Event]


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """How a call ended. Unknown numbers are ``None``. ``unfinished`` is the text of an answer that was broken off."""

    status: CallStatus
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    usage_source: str = ""
    cost_usd: Decimal | None = None
    reported_model: str = ""
    finish_reason: str = ""
    error_kind: str = ""
    error_detail: str = ""
    latency_ms: int | None = None
    first_token_ms: int | None = None
    retry_in_s: float | None = None
    unfinished: str = ""


@transaction.atomic
def begin_call(
    claim: Claim, ref: StepRef, target: ModelTarget, *, attempt: int, structured_mode: str = "", substituted: bool = False
) -> Begun:
    """Write down that a call is about to be sent. Raises ``LostRun`` or ``StepHasResult``: then nothing may be sent."""
    run = own(claim)
    step = open_step(run, ref, fresh=attempt == 1)
    if step.status != StepStatus.RUNNING.value:
        raise StepHasResult(StepHasResult.__doc__)
    call = ModelCall.objects.create(
        run=run,
        step=step,
        attempt=attempt,
        epoch=claim.epoch,
        # The snapshot counts, also for a model that was deleted meanwhile.
        model_id=target.model_id if ModelInfo.objects.filter(pk=target.model_id).exists() else None,
        model_name=target.name,
        provider_name=target.provider_name,
        structured_mode=structured_mode,
        substituted=substituted,
        input_price=target.input_price,
        output_price=target.output_price,
    )
    payload = {"key": ref.key, "stage": ref.stage.value, "agent_id": ref.agent_id, "attempt": attempt}
    event = append(run, EventType.CALL_STARTED, {**payload, "model": target.label, "substituted": substituted})
    keep(run)
    return Begun(call_pk=call.pk, call_id=call.public_id, attempt=attempt, events=[event])


@transaction.atomic
def settle_call(claim: Claim, ref: StepRef, begun: Begun, booking: Booking, result: StepWrite | None = None) -> tuple[bool, list[Event]]:
    """Book a call and, with it, what its step became (``None``: the step goes on).

    The booking stands in any case; the result only counts while the claim holds and the step is open. Returns whether it counted,
    and the events. Booking twice does nothing, and says the same again without the events.
    """
    run = hold(claim.run_pk)
    owned = is_owner(run, claim)
    if not _book(run, begun.call_pk, booking):
        # It was committed before, and the answer to that got lost on the way: the result stands, and so does its event.
        return owned, []
    events = []
    if owned and booking.error_kind:
        events.append(append(run, EventType.CALL_FAILED, _failure(ref, begun, booking)))
    accepted = owned and (result is None or conclude(run, ref, result, events))
    if accepted and result is not None:
        run.barren_deaths = 0
    if booking.unfinished:
        # What people were reading when a run was cancelled stays readable. A step that goes on will have a text of its own.
        given_up = (StepStatus.CANCELLED.value, StepStatus.LATE.value)
        RunStep.objects.filter(run=run, key=ref.key, status__in=given_up, text="").update(text=booking.unfinished)
    keep(run, "prompt_tokens", "completion_tokens", "known_cost_usd", "unknown_costs", "barren_deaths")
    return accepted, events


def _book(run: CouncilRun, call_pk: int, booking: Booking) -> bool:
    """Close the call and charge it. An orphan is booked by its old owner if that turns up: then its cost becomes known."""
    facts = {name: getattr(booking, name) for name in _BOOKED} | {
        "status": booking.status.value,
        "reported_model": booking.reported_model[:200],
        "finished_at": timezone.now(),
    }
    if ModelCall.objects.filter(pk=call_pk, status=CallStatus.SENDING.value).update(**facts):
        kind = EntryKind.CHARGED
    elif orphan := ModelCall.objects.filter(pk=call_pk, status=CallStatus.ORPHANED.value).first():
        ModelCall.objects.filter(pk=call_pk).update(**facts)
        run.unknown_costs -= orphan.cost_usd is None
        kind = EntryKind.CORRECTED
    else:
        return False
    charge(run, call_pk, cost=booking.cost_usd, kind=kind)
    run.prompt_tokens += booking.prompt_tokens or 0
    run.completion_tokens += booking.completion_tokens or 0
    return True


def charge(run: CouncilRun, call_pk: int, *, cost: Decimal | None, kind: EntryKind = EntryKind.CHARGED) -> None:
    """Add a call's cost to the ledger and to its run (the caller saves the run). An entry is never changed, only corrected."""
    LedgerEntry.objects.create(call_id=call_pk, account=f"user:{run.owner_id}", kind=kind, amount_usd=cost)
    if cost is None:
        run.unknown_costs += 1
    else:
        run.known_cost_usd += cost


def _failure(ref: StepRef, begun: Begun, booking: Booking) -> dict[str, Any]:
    return {
        "key": ref.key,
        "stage": ref.stage.value,
        "agent_id": ref.agent_id,
        "attempt": begun.attempt,
        "error_kind": booking.error_kind,
        "message": booking.error_detail,
        "retry_in_s": booking.retry_in_s,
    }


_OUTCOMES = {
    (Stage.OPINIONS, True): EventType.OPINION_COMPLETED,
    (Stage.OPINIONS, False): EventType.OPINION_FAILED,
    (Stage.REVIEW, True): EventType.BALLOT_COUNTED,
    (Stage.REVIEW, False): EventType.BALLOT_FAILED,
    (Stage.SYNTHESIS, True): EventType.SYNTHESIS_COMPLETED,
    (Stage.SYNTHESIS, False): EventType.SYNTHESIS_FAILED,
}
_BOOKED = (
    "prompt_tokens",
    "completion_tokens",
    "usage_source",
    "cost_usd",
    "finish_reason",
    "error_kind",
    "error_detail",
    "latency_ms",
    "first_token_ms",
)
_RESULT = ("text", "error_kind", "error_message", "substituted", "finish_reason", "latency_ms")


def open_step(run: CouncilRun, ref: StepRef, *, fresh: bool = False) -> RunStep:
    """The step's row, made if it is not there. ``fresh`` says that nothing was ever begun for it, which saves looking."""
    found = None if fresh else RunStep.objects.filter(run=run, key=ref.key).defer("text", "payload").first()
    return found or RunStep.objects.create(run=run, key=ref.key, stage=ref.stage.value, agent_id=ref.agent_id)


def conclude(run: CouncilRun, ref: StepRef, result: StepWrite, events: list[Event]) -> bool:
    """Give an open step its result and add the event. A late step that finishes becomes ``late_done``: shown, not counted."""
    facts = {name: getattr(result, name) for name in _RESULT} | {
        "status": result.status.value,
        "model_name": result.model_name[:200],
        "payload": dict(result.payload),
        "finished_at": timezone.now(),
    }
    steps = RunStep.objects.filter(run=run, key=ref.key)
    if not steps.filter(status=StepStatus.RUNNING.value).update(**facts):
        if result.status is StepStatus.DONE:
            facts["status"] = StepStatus.LATE_DONE.value
        if not steps.filter(status=StepStatus.LATE.value).update(**facts):
            return False
    kind = EventType.BALLOT_REJECTED if result.status is StepStatus.INVALID else _OUTCOMES[ref.stage, result.status is StepStatus.DONE]
    step = RunStep(run=run, key=ref.key, stage=ref.stage.value, agent_id=ref.agent_id, **facts)
    events.append(append(run, kind, step_facts(step)) | step_texts(step))
    return True
