"""Paid calls: written down before they are sent, booked with what they brought."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from councils.engine.events import EventType
from councils.engine.types import Stage, StepStatus
from councils.models import CallStatus, CouncilRun, EntryKind, LedgerEntry, ModelCall, RunStep
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
    """How a call ended. Unknown numbers are ``None``."""

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


@transaction.atomic
def begin_call(
    claim: Claim, ref: StepRef, target: ModelTarget, *, attempt: int, structured_mode: str = "", substituted: bool = False
) -> Begun:
    """Write down that a call is about to be sent. Raises ``LostRun`` or ``StepHasResult``: then nothing may be sent."""
    run = own(claim)
    step, _ = RunStep.objects.get_or_create(run=run, key=ref.key, defaults={"stage": ref.stage.value, "agent_id": ref.agent_id})
    if step.status != StepStatus.RUNNING.value:
        raise StepHasResult(StepHasResult.__doc__)
    call = ModelCall.objects.create(
        run=run,
        step=step,
        attempt=attempt,
        epoch=claim.epoch,
        model_id=target.model_id,
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
    and the events. Booking twice does nothing.
    """
    run = hold(claim.run_pk)
    if not _book(run, begun.call_pk, booking):
        return False, []
    owned = is_owner(run, claim)
    events = []
    if owned and booking.error_kind:
        events.append(append(run, EventType.CALL_FAILED, _failure(ref, begun, booking)))
    accepted = owned and (result is None or conclude(run, ref, result, events))
    if accepted and result is not None:
        run.barren_deaths = 0
    keep(run, "prompt_tokens", "completion_tokens", "known_cost_usd", "unknown_costs", "barren_deaths")
    return accepted, events


def _book(run: CouncilRun, call_pk: int, booking: Booking) -> bool:
    """Close the call and charge it. An orphan is booked by its old owner if that turns up: then its cost becomes known."""
    open_call = ModelCall.objects.filter(pk=call_pk, status__in=[CallStatus.SENDING, CallStatus.ORPHANED]).first()
    if open_call is None:
        return False
    was_orphan = open_call.status == CallStatus.ORPHANED.value
    if was_orphan and open_call.cost_usd is None:
        run.unknown_costs -= 1
    for name in ("prompt_tokens", "completion_tokens", "usage_source", "cost_usd", "finish_reason", "error_kind", "error_detail"):
        setattr(open_call, name, getattr(booking, name))
    open_call.status = booking.status.value
    open_call.reported_model = booking.reported_model[:200]
    open_call.latency_ms, open_call.first_token_ms = booking.latency_ms, booking.first_token_ms
    open_call.finished_at = timezone.now()
    open_call.save()
    charge(run, open_call, EntryKind.CORRECTED if was_orphan else EntryKind.CHARGED)
    return True


def charge(run: CouncilRun, call: ModelCall, kind: EntryKind = EntryKind.CHARGED) -> None:
    """Add the call to the ledger and to the totals of its run (the caller saves the run). An entry is never changed, only corrected."""
    LedgerEntry.objects.create(call=call, account=f"user:{run.owner_id}", kind=kind, amount_usd=call.cost_usd)
    run.prompt_tokens += call.prompt_tokens or 0
    run.completion_tokens += call.completion_tokens or 0
    if call.cost_usd is None:
        run.unknown_costs += 1
    else:
        run.known_cost_usd += call.cost_usd


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
_OPEN = (StepStatus.RUNNING.value, StepStatus.LATE.value)


def conclude(run: CouncilRun, ref: StepRef, result: StepWrite, events: list[Event]) -> bool:
    """Give an open step its result and add the event. A late step that finishes becomes ``late_done``: shown, not counted."""
    step, _ = RunStep.objects.get_or_create(run=run, key=ref.key, defaults={"stage": ref.stage.value, "agent_id": ref.agent_id})
    if step.status not in _OPEN:
        return False
    late = step.status == StepStatus.LATE.value
    status = StepStatus.LATE_DONE if late and result.status is StepStatus.DONE else result.status
    step.status = status.value
    for name in ("text", "error_kind", "error_message", "substituted", "finish_reason", "latency_ms"):
        setattr(step, name, getattr(result, name))
    step.model_name = result.model_name[:200]
    step.payload = dict(result.payload)
    step.finished_at = timezone.now()
    step.save()
    kind = EventType.BALLOT_REJECTED if status is StepStatus.INVALID else _OUTCOMES[ref.stage, result.status is StepStatus.DONE]
    events.append(append(run, kind, step_facts(step)) | step_texts(step))
    return True
