"""The life of a run from its creation to its one end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from councils.engine.events import EventType
from councils.engine.types import RunStatus, StepStatus
from councils.models import Conversation, CouncilConfiguration, CouncilRun, Message, MessageRole, RunStep, User
from councils.store.events import Event, append, hold, keep
from councils.store.ownership import Claim, own


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run ends. ``reason`` is one sentence for people."""

    status: RunStatus
    reason: str
    answer: str = ""
    answer_by: str = ""
    marks: Sequence[str] = ()
    consensus_score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """What a run begins with. ``config_snapshot`` and ``sealed_keys`` are as ``councils.snapshot`` makes them."""

    message: Message
    owner: User
    council: CouncilConfiguration
    origin: str
    public_id: str
    config_snapshot: dict[str, Any]
    sealed_keys: dict[str, str]
    idempotency_key: str | None = None
    request_hash: str = ""


def create_run(new: NewRun) -> CouncilRun:
    """Write a queued run and its first event. Needs a transaction; ``IntegrityError`` when the owner's idempotency key is taken."""
    run = CouncilRun.objects.create(
        public_id=new.public_id,
        conversation_id=new.message.conversation_id,
        message=new.message,
        owner=new.owner,
        council=new.council,
        council_name=new.council.name,
        origin=new.origin,
        config_snapshot=new.config_snapshot,
        sealed_keys=new.sealed_keys,
        idempotency_key=new.idempotency_key,
        request_hash=new.request_hash,
    )
    append(run, EventType.RUN_QUEUED, {"council": run.council_name})
    keep(run)
    return run


@transaction.atomic
def finish_run(claim: Claim, end: RunEnd) -> list[Event]:
    """End a run that this claim owns: status, answer, the message in the conversation and the last event, together."""
    return close(own(claim), end)


def close(run: CouncilRun, end: RunEnd) -> list[Event]:
    """End a live run whose row this transaction holds. Open steps are closed with it; their calls are booked when they come home."""
    run.status, run.reason, run.marks = end.status.value, end.reason, list(end.marks)
    run.answer, run.answer_by, run.consensus_score = end.answer, end.answer_by, end.consensus_score
    run.finished_at, run.sealed_keys, run.worker = timezone.now(), {}, ""
    RunStep.objects.filter(run=run, status=StepStatus.RUNNING.value).update(status=StepStatus.CANCELLED.value, finished_at=run.finished_at)
    if end.answer:
        Message.objects.create(conversation_id=run.conversation_id, role=MessageRole.ASSISTANT, text=end.answer, run=run)
    Conversation.objects.filter(pk=run.conversation_id).update(updated_at=run.finished_at)
    facts = {"status": run.status, "reason": run.reason, "marks": run.marks, "answer_by": run.answer_by}
    facts |= {"consensus_score": run.consensus_score, **totals(run)}
    event = append(run, EventType.RUN_FINISHED, facts) | {"answer": run.answer}
    ended = ("status", "reason", "marks", "answer", "answer_by", "consensus_score", "finished_at", "sealed_keys", "worker", "epoch")
    keep(run, *ended, "barren_deaths")
    return [event]


def totals(run: CouncilRun) -> dict[str, Any]:
    """What the run has used so far. ``cost_usd`` is null when the cost of any call is unknown."""
    return {
        "prompt_tokens": run.prompt_tokens,
        "completion_tokens": run.completion_tokens,
        "cost_usd": None if run.cost_usd is None else str(run.cost_usd),
        "known_cost_usd": str(run.known_cost_usd),
        "unknown_costs": run.unknown_costs,
    }


@transaction.atomic
def cancel(run_pk: int, *, by: User | None, reason: str) -> list[Event]:
    """End a run now, whoever owns it. Raising the epoch takes it from its owner, which then closes its calls and books them.

    Returns no event when the run had ended already.
    """
    run = hold(run_pk)
    if not run.is_live:
        return []
    run.epoch += 1
    run.cancelled_by = by
    run.save(update_fields=["cancelled_by"])
    return close(run, RunEnd(status=RunStatus.CANCELLED, reason=reason))
