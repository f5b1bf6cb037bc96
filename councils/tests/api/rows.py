"""Rows for the tests of the API: a council that can be asked, and a run that has been through everything."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from councils.engine.tally import ballot_to_json, count
from councils.engine.types import Ballot, RunStatus, Stage, StepStatus, Verdict, VotingSystem
from councils.models import (
    CallStatus,
    CouncilConfiguration,
    CouncilMember,
    CouncilRun,
    Message,
    MessageRole,
    ModelCall,
    ModelInfo,
    Provider,
    RunStep,
    User,
)
from councils.services.asking import ask_council

AGENTS = ("agent_1", "agent_2", "agent_3", "agent_4")


def make_user(name: str, **rights: Any) -> User:
    return User.objects.create_user(username=name, password="correct horse", **rights)


def make_model(name: str = "small:1b", *, provider: str = "Here") -> ModelInfo:
    host, _ = Provider.objects.get_or_create(
        name=provider, defaults={"slug": provider.lower(), "kind": "openai", "base_url": "http://127.0.0.1:9/v1"}
    )
    price = Decimal("0.01")
    return ModelInfo.objects.get_or_create(
        provider=host, name=name, defaults={"cost_per_1k_input_tokens": price, "cost_per_1k_output_tokens": price}
    )[0]


def make_council(slug: str = "wise", *, seats: int = 4, **changes: Any) -> CouncilConfiguration:
    model = make_model()
    council = CouncilConfiguration.objects.create(name=slug.title(), slug=slug, chairman_model=model, **changes)
    for position, agent_id in enumerate(AGENTS[:seats]):
        CouncilMember.objects.create(council=council, agent_id=agent_id, position=position, name=f"Member {position + 1}", model=model)
    return council


def make_run(owner: User, council: CouncilConfiguration, question: str = "Why is the sky blue?", **more: Any) -> CouncilRun:
    return ask_council(by=owner, council=council, question=question, **more)[0]


def make_finished_run(owner: User, council: CouncilConfiguration) -> CouncilRun:
    """A run with four opinions, three counted ballots and a bad one, a tally and a synthesis whose first call broke."""
    run = make_run(owner, council)
    for agent_id in AGENTS:
        add_call(add_step(run, f"opinion:{agent_id}", Stage.OPINIONS, agent_id, text=f"It scatters, says {agent_id}."))
    ballots = [_ballot(reviewer) for reviewer in AGENTS[:3]]
    for ballot in ballots:
        payload = {"labels": {}, "ballot": ballot_to_json(ballot)}
        add_call(add_step(run, f"review:{ballot.reviewer}", Stage.REVIEW, ballot.reviewer, text="{}", payload=payload))
    bad = {"labels": {}, "problem": "There is no ballot in it."}
    add_call(add_step(run, "review:agent_4", Stage.REVIEW, "agent_4", text="I like all.", payload=bad, status=StepStatus.INVALID))
    tally = count(VotingSystem.RANKED_CHOICE, AGENTS, ballots, seed="seed", cast=4)
    add_step(run, "tally", Stage.REVIEW, payload=tally.to_json())
    synthesis = add_step(run, "synthesis", Stage.SYNTHESIS, text="Light scatters.")
    broken: dict[str, Any] = {
        "prompt_tokens": None,
        "completion_tokens": None,
        "cost_usd": None,
        "error_kind": "broken_stream",
        "error_detail": "Cut off.",
    }
    add_call(synthesis, status=CallStatus.BROKEN, **broken)
    add_call(synthesis, attempt=2)
    return end_run(run)


def end_run(run: CouncilRun) -> CouncilRun:
    run.status, run.answer, run.answer_by = RunStatus.SUCCEEDED.value, "Light scatters.", "chairman"
    run.reason, run.consensus_score, run.marks = "The chairman wrote this.", 0.75, ["degraded"]
    run.started_at, run.finished_at = timezone.now(), timezone.now() + timedelta(seconds=9)
    run.prompt_tokens, run.completion_tokens, run.unknown_costs, run.known_cost_usd = 900, 450, 1, Decimal("0.0135")
    run.save()
    Message.objects.create(conversation=run.conversation, role=MessageRole.ASSISTANT, text=run.answer, run=run)
    return run


def add_step(
    run: CouncilRun, key: str, stage: Stage, agent_id: str = "", *, status: StepStatus = StepStatus.DONE, **values: Any
) -> RunStep:
    step = RunStep.objects.create(
        run=run, key=key, stage=stage.value, agent_id=agent_id, status=status.value, model_name="small:1b", **values
    )
    step.finished_at = step.started_at + timedelta(seconds=2)
    step.save()
    return step


def add_call(step: RunStep, *, attempt: int = 1, status: CallStatus = CallStatus.DONE, **values: Any) -> ModelCall:
    usual: dict[str, Any] = {"prompt_tokens": 100, "completion_tokens": 50, "cost_usd": Decimal("0.0015"), "latency_ms": 1200}
    names = {"model_name": "small:1b", "provider_name": "Here"}
    return ModelCall.objects.create(run=step.run, step=step, attempt=attempt, epoch=1, status=status.value, **names, **(usual | values))


def _ballot(reviewer: str) -> Ballot:
    others = tuple(agent for agent in AGENTS if agent != reviewer)
    verdicts = tuple(Verdict(agent_id=agent, score=9 - place, reasoning="Clear.") for place, agent in enumerate(others))
    return Ballot(reviewer=reviewer, tiers=tuple((agent,) for agent in others), verdicts=verdicts)
