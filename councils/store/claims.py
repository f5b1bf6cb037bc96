"""Taking a run over: at its start, after a hand-over, or from an owner that shows no life any more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from councils.engine.events import EventType
from councils.engine.reasons import Reason, ReasonCode
from councils.engine.types import ChatMessage, RunStatus, StepStatus
from councils.models import CallStatus, CouncilRun, Message, MessageRole, ModelCall, RunStep
from councils.models.run import LIVE
from councils.store.budgets import holds_of, lock_for
from councils.store.calls import charge
from councils.store.events import Event, append, hold, keep
from councils.store.moments import moment
from councils.store.ownership import Claim
from councils.store.runs import RunEnd, close
from councils.store.telling import tell_orphan

MAX_BARREN_DEATHS = 3
# More than any prompt takes; the engine cuts them to what fits.
HISTORY_QUESTIONS = 30

Sign = tuple[int, int]
"""What shows that an owner lives: (epoch, heartbeat). Unchanged for the lease's time on the watcher's own clock, it is dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRun:
    """A run that has not ended. ``free`` says that nobody owns it: it is queued, or was handed back."""

    pk: int
    sign: Sign
    free: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A run in the hands of its new owner, with everything that it needs to go on.

    ``attempts`` are the calls begun so far by step key. ``elapsed_ms`` is the time that earlier owners spent.
    """

    claim: Claim
    config_snapshot: Mapping[str, Any]
    sealed_keys: Mapping[str, str]
    question: str
    history: tuple[ChatMessage, ...]
    steps: tuple[RunStep, ...]
    attempts: Mapping[str, int]
    elapsed_ms: int
    events: tuple[Event, ...]


def live_runs() -> list[LiveRun]:
    """All runs that have not ended and do not wait for staff, oldest first."""
    rows = CouncilRun.objects.live().filter(held=False).order_by("pk").values_list("pk", "epoch", "heartbeat", "worker")
    return [LiveRun(pk=pk, sign=(epoch, beat), free=not worker) for pk, epoch, beat, worker in rows]


@moment
def claim_run(run_pk: int, *, worker: str, dead: Sign | None = None) -> Claimed | None:
    """Make this worker the owner, or return ``None``: the run has ended, its owner lives, or it waits for staff.

    ``dead`` is the sign that the caller has watched not changing. Only with it may an owned run be taken, and only if the sign is
    still the same. An owner that dies three times without finishing one step takes the run down with it.
    """
    # The third death ends the run, and that moves its accounts.
    lock_for(run_pk)
    run = CouncilRun.objects.select_for_update().select_related("message").filter(pk=run_pk, status__in=LIVE, held=False).first()
    if run is None or (run.worker and dead != (run.epoch, run.heartbeat)):
        return None
    resumed = run.epoch > 0
    orphans = _orphan_calls(run)
    run.barren_deaths += bool(run.worker)
    run.epoch += 1
    run.heartbeat, run.worker, run.status = 0, worker[:100], RunStatus.RUNNING.value
    run.started_at = run.started_at or timezone.now()
    kind = EventType.RUN_RESUMED if resumed else EventType.RUN_STARTED
    event = append(run, kind, {"epoch": run.epoch, "orphaned_calls": orphans})
    keep(run, "epoch", "heartbeat", "worker", "status", "started_at", "barren_deaths", "unknown_costs", "known_cost_usd")
    if run.barren_deaths >= MAX_BARREN_DEATHS:
        reason = Reason(ReasonCode.GIVEN_UP, {"times": MAX_BARREN_DEATHS})
        close(run, RunEnd(status=RunStatus.FAILED, reason=reason))
        return None
    return _hand_over(run, (event,))


def _hand_over(run: CouncilRun, events: tuple[Event, ...]) -> Claimed:
    attempts = ModelCall.objects.filter(run=run).values_list("step__key").annotate(n=Count("pk"))
    # A late step whose call died with its owner stays late: nobody waits for it.
    steps = RunStep.objects.filter(run=run).exclude(status=StepStatus.RUNNING.value)
    return Claimed(
        claim=Claim(run.pk, run.public_id, run.epoch, holds_of(run.pk)),
        config_snapshot=run.config_snapshot,
        sealed_keys=run.sealed_keys,
        question=run.message.text,
        history=history_before(run.message),
        steps=tuple(steps),
        attempts=dict(attempts),
        elapsed_ms=run.elapsed_ms,
        events=events,
    )


def _orphan_calls(run: CouncilRun) -> int:
    """Close the calls whose owner died with them. What they cost is unknown, unless the model is free."""
    orphans = list(ModelCall.objects.filter(run=run, status=CallStatus.SENDING.value))
    for call in orphans:
        orphan(run, call)
    return len(orphans)


def orphan(run: CouncilRun, call: ModelCall) -> None:
    """Book one call as orphaned. The caller saves the run's totals. What came from the cache was not sent, and cost nothing."""
    call.status, call.finished_at = CallStatus.ORPHANED.value, timezone.now()
    call.error_kind, call.error_detail = "orphaned", "The server stopped while this call was under way."
    free = call.cached or (call.input_price == 0 and call.output_price == 0)
    call.cost_usd = Decimal(0) if free else None
    call.save()
    charge(run, call.pk, cost=call.cost_usd)
    tell_orphan(call)


@moment
def orphan_calls_of_ended_run(run_pk: int, call_pks: Iterable[int]) -> None:
    """Close calls that were left open by an owner that died after its run had ended (cancelled by somebody else)."""
    run = hold(run_pk)
    for call in ModelCall.objects.filter(run=run, pk__in=list(call_pks), status=CallStatus.SENDING.value):
        orphan(run, call)
    keep(run, "unknown_costs", "known_cost_usd")


def stray_calls() -> dict[int, list[int]]:
    """Open calls of runs that have ended, by run."""
    strays: dict[int, list[int]] = {}
    rows = ModelCall.objects.filter(status=CallStatus.SENDING.value).exclude(run__status__in=LIVE)
    for run_pk, call_pk in rows.values_list("run_id", "pk"):
        strays.setdefault(run_pk, []).append(call_pk)
    return strays


def history_before(message: Message) -> tuple[ChatMessage, ...]:
    """The newest questions before this one that were answered, in order, each with one answer: that of its newest version that has one.

    A question without an answer is no turn. An answer that belongs to no run is taken to answer the question before it.
    """
    thread = Message.objects.filter(conversation_id=message.conversation_id)
    newest = thread.filter(role=MessageRole.USER, pk__lt=message.pk).order_by("-pk")[:HISTORY_QUESTIONS]
    questions = dict(reversed(newest.values_list("pk", "text")))
    belongs = Q(run__message__in=list(questions)) | Q(run=None, pk__lt=message.pk)
    answers: dict[int, str] = {}
    for pk, question, text in thread.filter(belongs, role=MessageRole.ASSISTANT).order_by("pk").values_list("pk", "run__message", "text"):
        before = question or max((other for other in questions if other < pk), default=None)
        if before in questions:
            answers[before] = text
    return tuple(turn for pk, text in questions.items() if pk in answers for turn in _turn(text, answers[pk]))


def _turn(question: str, answer: str) -> tuple[ChatMessage, ChatMessage]:
    return ChatMessage(role=MessageRole.USER, content=question), ChatMessage(role=MessageRole.ASSISTANT, content=answer)
