"""Paid calls: written down before they are sent, booked with what they brought."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Subquery
from django.utils import timezone

from councils.engine.errors import without_detail
from councils.engine.events import EventType
from councils.engine.types import Stage, StepStatus
from councils.models import CallStatus, CouncilRun, EntryKind, LedgerEntry, ModelCall, ModelInfo, RunStep
from councils.models.budget import MOST_USD, UNIT_USD
from councils.snapshot import ModelTarget
from councils.store import budgets
from councils.store.budgets import NOTHING, Position
from councils.store.events import Event, append, hold, keep, step_facts, step_texts
from councils.store.moments import moment
from councils.store.ownership import Claim, is_owner, own

logger = logging.getLogger(__name__)


class StepHasResult(Exception):
    """This step has its result already; nothing more may be asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRef:
    """Which step: its key and where it belongs. ``agent_id`` is empty for tally and synthesis."""

    key: str
    stage: Stage
    agent_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How a call is sent. A ``cached`` one is not: its answer is there already. ``prompt_hash`` is the digest of its messages."""

    endpoint: str = ""
    structured_mode: str = ""
    substituted: bool = False
    cached: bool = False
    prompt_hash: str = ""


PLAINLY = Sending()


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
    """An attempt that is written down and may now be sent. ``reserved_usd`` is what budgets hold for it."""

    call_pk: int
    call_id: str
    attempt: int
    events: Sequence[Event]
    reserved_usd: Decimal = NOTHING


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
    findings: Sequence[str] = ()


class Settled(NamedTuple):
    """What became of a booking: whether its result counted, and the events.

    An ``orphan`` was taken for lost before, and counted so; now it is known what it brought.
    """

    accepted: bool
    events: list[Event]
    orphan: bool = False


@moment
def begin_call(
    claim: Claim,
    ref: StepRef,
    target: ModelTarget,
    *,
    attempt: int,
    at_most_usd: Decimal | None = NOTHING,
    sending: Sending = PLAINLY,
) -> Begun:
    """Write down that a call is about to be sent, and hold what it may cost (``at_most_usd``; ``None`` is unknown) in every budget.

    Raises ``LostRun``, ``StepHasResult`` or ``BudgetExhausted``: then nothing was written and nothing may be sent.
    """
    claim.lock_accounts()
    run = own(claim)
    step = open_step(run, ref)
    if step.status != StepStatus.RUNNING.value:
        raise StepHasResult(StepHasResult.__doc__)
    reserved = budgets.reserve(run, claim.holds, at_most_usd)
    call = ModelCall.objects.create(
        run=run,
        step=step,
        attempt=attempt,
        epoch=claim.epoch,
        # The snapshot counts, also for a model that was deleted meanwhile: then there is no row to point at.
        model_id=Subquery(ModelInfo.objects.filter(pk=target.model_id).values("pk")),
        model_name=target.name,
        provider_name=target.provider_name,
        endpoint=sending.endpoint[:500],
        structured_mode=sending.structured_mode,
        prompt_hash=sending.prompt_hash,
        substituted=sending.substituted,
        cached=sending.cached,
        input_price=target.input_price,
        output_price=target.output_price,
        reserved_usd=reserved,
    )
    payload = {"key": ref.key, "stage": ref.stage.value, "agent_id": ref.agent_id, "attempt": attempt}
    event = append(
        run, EventType.CALL_STARTED, {**payload, "model": target.label, "substituted": sending.substituted, "cached": sending.cached}
    )
    keep(run, "open_usd")
    return Begun(call_pk=call.pk, call_id=call.public_id, attempt=attempt, events=[event], reserved_usd=reserved)


@moment
def settle_call(claim: Claim, ref: StepRef, begun: Begun, booking: Booking, result: StepWrite | None = None) -> Settled:
    """Book a call and, with it, what its step became (``None``: the step goes on).

    The booking stands in any case; the result only counts while the claim holds and the step is open. Booking twice does nothing, and
    says the same again without the events.
    """
    claim.lock_accounts()
    run = hold(claim.run_pk)
    owned, before = is_owner(run, claim), Position.of(run)
    stood = _book(run, begun, booking)
    if stood is None:
        # It was committed before, and the answer to that got lost on the way: the result stands, and so does its event.
        return Settled(owned, [])
    events: list[Event] = []
    if owned and booking.error_kind:
        events.append(append(run, EventType.CALL_FAILED, _failure(ref, begun, booking)))
    accepted = owned and (result is None or conclude(run, ref, result, events))
    if accepted and result is not None:
        run.barren_deaths = 0
    if booking.unfinished:
        # What people were reading when a run was cancelled stays readable. A step that goes on will have a text of its own.
        given_up = (StepStatus.CANCELLED.value, StepStatus.LATE.value)
        RunStep.objects.filter(run=run, key=ref.key, status__in=given_up, text="").update(text=booking.unfinished)
    budgets.move(claim.holds, before, Position.of(run))
    keep(run, "prompt_tokens", "completion_tokens", "known_cost_usd", "unknown_costs", "open_usd", "barren_deaths")
    return Settled(accepted, events, orphan=stood is CallStatus.ORPHANED)


@moment
def recall_call(
    claim: Claim, ref: StepRef, target: ModelTarget, *, attempt: int, sending: Sending, booking: Booking, result: StepWrite
) -> tuple[Begun, bool, list[Event]]:
    """Write down a call whose answer is there already, with what its step becomes: nothing is waited for, so both are one commit.

    Returns what ``begin_call`` returns, whether the result counted, and the events. Raises what these raise. Done twice, it says the same
    again without events.
    """
    try:
        begun = begin_call(claim, ref, target, attempt=attempt, sending=sending)
    except StepHasResult:
        # It was committed before, and the answer to that got lost on the way: the result that the step has is this one.
        call = ModelCall.objects.filter(run=claim.run_pk, step__key=ref.key, attempt=attempt, epoch=claim.epoch, cached=True).first()
        if call is None:
            raise
        return Begun(call_pk=call.pk, call_id=call.public_id, attempt=attempt, events=[]), True, []
    settled = settle_call(claim, ref, begun, booking, result)
    return begun, settled.accepted, settled.events


def _book(run: CouncilRun, begun: Begun, booking: Booking) -> CallStatus | None:
    """Close the call and charge it. An orphan is booked by its old owner if that turns up: then its cost becomes known.

    What staff have booked for an orphan meanwhile stands. Returns how the call stood before, ``None`` where it was closed already.
    """
    cost = None if booking.cost_usd is None else _storable(booking.cost_usd, begun)
    facts = {name: getattr(booking, name) for name in _BOOKED} | {
        "status": booking.status.value,
        "cost_usd": cost,
        "reported_model": booking.reported_model[:200],
        "findings": list(booking.findings),
        "finished_at": timezone.now(),
    }
    if ModelCall.objects.filter(pk=begun.call_pk, status=CallStatus.SENDING.value).update(**facts):
        stood = CallStatus.SENDING
        charge(run, begun.call_pk, cost=cost)
    elif orphan := _orphan(begun):
        stood = CallStatus.ORPHANED
        ModelCall.objects.filter(pk=begun.call_pk).update(**facts)
        if cost is not None:
            # An orphan that stays unknown needs no second entry to say so.
            run.unknown_costs -= orphan.cost_usd is None
            charge(run, begun.call_pk, cost=cost, kind=EntryKind.CORRECTED)
    else:
        return None
    if cost is not None:
        # What may yet turn out to cost something stays reserved; this is known.
        run.open_usd -= begun.reserved_usd
    run.prompt_tokens += booking.prompt_tokens or 0
    run.completion_tokens += booking.completion_tokens or 0
    return stood


def _storable(cost: Decimal, begun: Begun) -> Decimal:
    """The cost in the unit of the ledger. One beyond its columns is booked at the largest sum that they keep, and logged.

    An error here would lose the answer, and the same call would be paid again.
    """
    if cost > MOST_USD:
        logger.error("call %s cost %s USD, more than can be stored: it is booked at %s", begun.call_id, cost, MOST_USD)
        return MOST_USD
    return cost.quantize(UNIT_USD)


def _orphan(begun: Begun) -> ModelCall | None:
    """The orphaned call, unless it was booked since."""
    corrected = Exists(LedgerEntry.objects.filter(call=OuterRef("pk"), kind=EntryKind.CORRECTED))
    return ModelCall.objects.filter(~corrected, pk=begun.call_pk, status=CallStatus.ORPHANED.value).first()


def charge(run: CouncilRun, call_pk: int, *, cost: Decimal | None, kind: EntryKind = EntryKind.CHARGED) -> None:
    """Add a call's cost to the ledger and to its run (the caller saves the run). An entry is never changed, only corrected."""
    LedgerEntry.objects.create(call_id=call_pk, account=f"user:{run.owner_id}", kind=kind, amount_usd=cost)
    if cost is None:
        run.unknown_costs += 1
    else:
        run.known_cost_usd = min(run.known_cost_usd + cost, MOST_USD)


def _failure(ref: StepRef, begun: Begun, booking: Booking) -> dict[str, Any]:
    return {
        "key": ref.key,
        "stage": ref.stage.value,
        "agent_id": ref.agent_id,
        "attempt": begun.attempt,
        "error_kind": booking.error_kind,
        "message": without_detail(booking.error_kind, booking.error_detail),
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


def open_step(run: CouncilRun, ref: StepRef) -> RunStep:
    """The step's row, made if it is not there. It may be there before the first call: a seat that still waits can be late already."""
    found = RunStep.objects.filter(run=run, key=ref.key).defer("text", "payload").first()
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
