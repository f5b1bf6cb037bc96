"""Rows for tests and screenshots: councils, and runs in any state, as the runner would have left them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import count as counter
from typing import Any

from django.utils import timezone

from councils.engine.tally import ballot_to_json, count
from councils.engine.types import Ballot, RunStatus, Stage, StepStatus, UsageSource, Verdict, VotingSystem
from councils.models import (
    CallStatus,
    Conversation,
    CouncilConfiguration,
    CouncilMember,
    CouncilRun,
    Message,
    MessageRole,
    ModelCall,
    ModelInfo,
    Provider,
    ProviderKind,
    RunStep,
    User,
)
from councils.models.base import new_public_id
from councils.snapshot import take_snapshot

NAMES = ("Analyst", "Skeptic", "Customer", "Operator", "Historian", "Engineer", "Economist", "Designer", "Lawyer")
_numbers = counter(1)


def make_user(username: str = "", *, password: str = "a long enough secret", **fields: Any) -> User:
    return User.objects.create_user(username or f"person{next(_numbers)}", password=password, **fields)


def make_model(name: str = "", **fields: Any) -> ModelInfo:
    provider, _ = Provider.objects.get_or_create(
        slug="test-provider", defaults={"name": "Test provider", "kind": ProviderKind.OPENAI, "base_url": "http://127.0.0.1:9/v1"}
    )
    prices = {"cost_per_1k_input_tokens": Decimal("0.001"), "cost_per_1k_output_tokens": Decimal("0.002")}
    return ModelInfo.objects.create(provider=provider, name=name or f"model-{next(_numbers)}", **{**prices, **fields})


def make_council(*, seats: int = 4, name: str = "Pricing council", **fields: Any) -> CouncilConfiguration:
    """A council that can be asked. ``seats`` members, each with a model of its own."""
    number = next(_numbers)
    models = [make_model(f"model-{number}-{place}") for place in range(1, seats + 1)]
    fields = {"slug": f"council-{number}", "min_models": min(seats, 3), **fields}
    council = CouncilConfiguration.objects.create(name=name, chairman_model=models[0], **fields)
    for place, model in enumerate(models, start=1):
        CouncilMember.objects.create(
            council=council, agent_id=f"agent_{place}", position=place, name=NAMES[(place - 1) % len(NAMES)], model=model
        )
    return council


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """What happened in a made run.

    ``opinions`` and ``reviews`` are states by place of the seat; where the list is shorter, the step has not begun. ``orders`` are
    ballots as orders of places, best first, by reviewer's place; without one a ballot follows the order of the seats.
    """

    opinions: Sequence[StepStatus] = ()
    reviews: Sequence[StepStatus] = ()
    orders: Mapping[int, Sequence[int]] = field(default_factory=dict)
    synthesis: StepStatus | None = None
    counted: bool = False
    text: str = "I would take *ten* months' price for the year."


def finished_plan(seats: int = 4, *, orders: Mapping[int, Sequence[int]] | None = None) -> RunPlan:
    done = (StepStatus.DONE,) * seats
    return RunPlan(opinions=done, reviews=done, orders=orders or {}, synthesis=StepStatus.DONE, counted=True)


def make_run(
    *,
    owner: User | None = None,
    council: CouncilConfiguration | None = None,
    status: RunStatus = RunStatus.SUCCEEDED,
    plan: RunPlan | None = None,
    question: str = "How should we price the annual plan?",
    answer: str = "Charge for **ten months**, and say so.",
    conversation: Conversation | None = None,
    **fields: Any,
) -> CouncilRun:
    """A run with its steps, calls and messages. A finished one has a full plan unless another is given."""
    owner, council = owner or make_user(), council or make_council()
    snapshot = take_snapshot(CouncilConfiguration.objects.with_details().get(pk=council.pk), seed="fixed")
    thread = conversation or Conversation.objects.create(owner=owner, council=council, title=question[:80])
    message = Message.objects.create(conversation=thread, role=MessageRole.USER, text=question)
    ended = status not in {RunStatus.QUEUED, RunStatus.RUNNING}
    has_answer = status in {RunStatus.SUCCEEDED, RunStatus.PARTIAL}
    run = CouncilRun.objects.create(
        public_id=new_public_id(),
        conversation=thread,
        message=message,
        owner=owner,
        council=council,
        council_name=council.name,
        config_snapshot=snapshot.to_json(),
        status=status.value,
        answer=answer if has_answer else "",
        answer_by=fields.pop("answer_by", "chairman") if has_answer else "",
        finished_at=timezone.now() + timedelta(seconds=31) if ended else None,
        **fields,
    )
    _add_steps(run, plan or (finished_plan(len(snapshot.spec.seats)) if has_answer else RunPlan()))
    if has_answer:
        Message.objects.create(conversation=thread, role=MessageRole.ASSISTANT, text=run.answer, run=run)
    return run


FAULTS: Mapping[StepStatus, Mapping[str, str]] = {
    StepStatus.FAILED: {"error_kind": "timeout", "error_message": "The answer did not come in time."},
    StepStatus.INVALID: {"error_kind": "unknown_label", "error_message": "'Z9Q' is not one of the answers shown."},
}


def add_step(run: CouncilRun, key: str, stage: Stage, status: StepStatus, **fields: Any) -> RunStep:
    """One step with one call that has been booked, as far as the status says so."""
    agent_id = key.partition(":")[2].partition(":")[0]
    failed = status in {StepStatus.FAILED, StepStatus.INVALID}
    faults = FAULTS.get(status, {})
    open_now = status in {StepStatus.RUNNING, StepStatus.LATE}
    step = RunStep.objects.create(
        run=run,
        key=key,
        stage=stage.value,
        agent_id=agent_id,
        status=status.value,
        latency_ms=None if open_now else 8100,
        **{**faults, **fields},
    )
    seats = {seat["agent_id"]: seat for seat in run.spec_seats()}
    model_key = seats[agent_id]["model"] if agent_id else run.config_snapshot["spec"]["chairman"][0]
    target = run.config_snapshot["models"][model_key]
    if not open_now and not step.model_name:
        RunStep.objects.filter(pk=step.pk).update(model_name=target["label"])
    ModelCall.objects.create(
        run=run,
        step=step,
        attempt=1,
        epoch=1,
        model_id=target["model_id"],
        model_name=target["name"],
        provider_name=target["provider_name"],
        status=(CallStatus.SENDING if open_now else CallStatus.BROKEN if failed else CallStatus.DONE).value,
        prompt_tokens=None if open_now else 120,
        completion_tokens=None if open_now else 412,
        usage_source="" if open_now else UsageSource.REPORTED.value,
        cost_usd=None if open_now else Decimal("0.000944"),
        latency_ms=None if open_now else 8100,
    )
    if not open_now:
        run.prompt_tokens, run.completion_tokens = run.prompt_tokens + 120, run.completion_tokens + 412
        run.known_cost_usd += Decimal("0.000944")
        run.save(update_fields=["prompt_tokens", "completion_tokens", "known_cost_usd"])
    return step


def _add_steps(run: CouncilRun, plan: RunPlan) -> None:
    agents = [seat["agent_id"] for seat in run.spec_seats()]
    for agent_id, status in zip(agents, plan.opinions, strict=False):
        wrote = status in {StepStatus.DONE, StepStatus.LATE_DONE}
        add_step(run, f"opinion:{agent_id}", Stage.OPINIONS, status, text=plan.text if wrote else "")
    standing = [agent for agent, status in zip(agents, plan.opinions, strict=False) if status is StepStatus.DONE]
    ballots = []
    for place, (agent_id, status) in enumerate(zip(agents, plan.reviews, strict=False), start=1):
        payload: dict[str, Any] = {}
        if status is StepStatus.DONE:
            order = [agents[other - 1] for other in plan.orders.get(place, range(1, len(agents) + 1))]
            ballots.append(make_ballot(agent_id, [agent for agent in order if agent in standing and agent != agent_id]))
            payload = {"ballot": ballot_to_json(ballots[-1])}
        elif status is StepStatus.INVALID:
            payload = {"problem": FAULTS[status]["error_message"]}
        add_step(run, f"review:{agent_id}", Stage.REVIEW, status, payload=payload)
    if plan.counted:
        system = VotingSystem(run.config_snapshot["spec"]["voting_system"])
        tally = count(system, standing, ballots, seed="fixed", cast=len(plan.reviews))
        RunStep.objects.create(run=run, key="tally", stage=Stage.REVIEW.value, status=StepStatus.DONE.value, payload=tally.to_json())
    if plan.synthesis is not None:
        add_step(run, "synthesis", Stage.SYNTHESIS, plan.synthesis, text=run.answer)


def make_ballot(reviewer: str, order: Sequence[str]) -> Ballot:
    """An untied ballot with scores 9, 8, 7, …, best first."""
    verdicts = tuple(
        Verdict(agent_id=agent, score=max(9 - place, 1), reasoning=f"It names the price and says why, point {place + 1}.")
        for place, agent in enumerate(order)
    )
    return Ballot(reviewer=reviewer, tiers=tuple((agent,) for agent in order), verdicts=verdicts)
