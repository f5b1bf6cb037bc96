"""The life of a run from its creation to its one end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from councils.engine.carrying import Course
from councils.engine.events import EventType
from councils.engine.reasons import Reason, ReasonCode
from councils.engine.types import RunStatus, StepStatus
from councils.models import (
    ApiKey,
    Conversation,
    CouncilConfiguration,
    CouncilRun,
    Message,
    MessageRole,
    PromptTemplate,
    RunPrompt,
    RunStep,
    User,
)
from councils.store.budgets import Position, holds_of, lock_for, move
from councils.store.events import Event, append, hold, keep
from councils.store.moments import moment
from councils.store.ownership import Claim, own
from councils.store.telling import tell_end


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run ends, and why."""

    status: RunStatus
    reason: Reason
    answer: str = ""
    answer_by: str = ""
    marks: Sequence[str] = ()
    consensus_score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """What a run begins with. ``config_snapshot`` and ``sealed_keys`` are as ``councils.snapshot`` makes them.

    ``carried`` are the keys of the steps of ``based_on`` that are kept, with the status that they have from now on.
    """

    message: Message
    owner: User
    council: CouncilConfiguration
    origin: str
    public_id: str
    config_snapshot: dict[str, Any]
    sealed_keys: dict[str, str]
    course: Course = Course.FULL
    based_on: CouncilRun | None = None
    member: str = ""
    member_name: str = ""
    carried: Mapping[str, StepStatus] = field(default_factory=dict)
    blind: bool = False
    council_chosen: bool = False
    trial: bool = False
    idempotency_key: str | None = None
    request_hash: str = ""
    api_key: ApiKey | None = None


def create_run(new: NewRun) -> CouncilRun:
    """Write a queued run, the steps that it keeps and its first event.

    Needs a transaction; ``IntegrityError`` when the owner's idempotency key is taken.
    """
    run = CouncilRun.objects.create(
        public_id=new.public_id,
        conversation_id=new.message.conversation_id,
        message=new.message,
        owner=new.owner,
        council=new.council,
        council_name=new.council.name,
        course=new.course.value,
        based_on=new.based_on,
        member=new.member,
        member_name=new.member_name,
        origin=new.origin,
        config_snapshot=new.config_snapshot,
        sealed_keys=new.sealed_keys,
        blind=new.blind,
        council_chosen=new.council_chosen,
        trial=new.trial,
        idempotency_key=new.idempotency_key,
        request_hash=new.request_hash,
        api_key=new.api_key,
    )
    _name_prompts(run)
    kept = _carry(run, new)
    facts = {"council": run.council_name, "course": run.course, "based_on": new.based_on and new.based_on.public_id}
    append(run, EventType.RUN_QUEUED, facts | {"carried": [step.key for step in kept]})
    keep(run)
    return run


def _name_prompts(run: CouncilRun) -> None:
    """Tell which stored versions it asks with; most ask with none. What was deleted since an earlier try of it is not named."""
    if ids := run.config_snapshot.get("prompt_ids"):
        there = PromptTemplate.objects.filter(pk__in=ids)
        RunPrompt.objects.bulk_create([RunPrompt(run=run, template=template) for template in there])


def _carry(run: CouncilRun, new: NewRun) -> list[RunStep]:
    """Copy the kept steps in the order in which they were made. Only what a step brought is copied: its calls stay where they were paid."""
    if new.based_on is None or not new.carried:
        return []
    kept = [step for step in new.based_on.steps.all() if step.key in new.carried]
    return RunStep.objects.bulk_create(
        [
            RunStep(
                run=run,
                status=new.carried[step.key].value,
                carried=True,
                # A step that was kept before leads to where it was made, not to the try in between.
                carried_from_id=step.carried_from_id or step.pk,
                **{name: getattr(step, name) for name in _CARRIED},
            )
            for step in kept
        ]
    )


_CARRIED = (
    "key",
    "stage",
    "agent_id",
    "text",
    "payload",
    "model_name",
    "substituted",
    "error_kind",
    "error_message",
    "finish_reason",
    "latency_ms",
    "started_at",
    "finished_at",
)


@moment
def finish_run(claim: Claim, end: RunEnd) -> list[Event]:
    """End a run that this claim owns: status, answer, the message in the conversation and the last event, together."""
    claim.lock_accounts()
    return close(own(claim), end)


def close(run: CouncilRun, end: RunEnd) -> list[Event]:
    """End a live run whose row this transaction holds. Open steps are closed with it; their calls are booked when they come home.

    What budgets had set aside for the run is free again.
    """
    before = Position.of(run)
    run.status, run.marks = end.status.value, list(end.marks)
    run.reason, run.reason_code, run.reason_facts = str(end.reason), end.reason.code.value, dict(end.reason.facts)
    run.answer, run.answer_by, run.consensus_score = end.answer, end.answer_by, end.consensus_score
    run.finished_at, run.sealed_keys, run.worker = timezone.now(), {}, ""
    RunStep.objects.filter(run=run, status=StepStatus.RUNNING.value).update(status=StepStatus.CANCELLED.value, finished_at=run.finished_at)
    if end.answer:
        Message.objects.create(conversation_id=run.conversation_id, role=MessageRole.ASSISTANT, text=end.answer, run=run)
    Conversation.objects.filter(pk=run.conversation_id).update(updated_at=run.finished_at)
    facts = {"status": run.status, "reason": run.reason, "marks": run.marks, "answer_by": run.answer_by}
    facts |= {"consensus_score": run.consensus_score, **totals(run)}
    event = append(run, EventType.RUN_FINISHED, facts) | {"answer": run.answer}
    ended = ("status", "reason", "reason_code", "reason_facts", "marks", "answer", "answer_by", "consensus_score", "finished_at")
    keep(run, *ended, "sealed_keys", "worker", "epoch", "barren_deaths")
    move(holds_of(run.pk), before, Position.of(run))
    tell_end(run)
    return [event]


def totals(run: CouncilRun) -> dict[str, Any]:
    """What the run has used so far. ``cost_usd`` is null when the cost of any call is unknown."""
    return {
        "prompt_tokens": run.prompt_tokens,
        "completion_tokens": run.completion_tokens,
        "cost_usd": None if run.cost_usd is None else f"{run.cost_usd:f}",
        "known_cost_usd": f"{run.known_cost_usd:f}",
        "unknown_costs": run.unknown_costs,
    }


@moment
def cancel(run_pk: int, *, by: User | None) -> list[Event]:
    """End a run now, whoever owns it. Raising the epoch takes it from its owner, which then closes its calls and books them.

    Returns no event when the run had ended already.
    """
    lock_for(run_pk)
    run = hold(run_pk)
    if not run.is_live:
        return []
    run.epoch += 1
    run.cancelled_by = by
    run.save(update_fields=["cancelled_by"])
    return close(run, RunEnd(status=RunStatus.CANCELLED, reason=Reason(ReasonCode.CANCELLED)))
