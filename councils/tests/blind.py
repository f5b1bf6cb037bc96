"""A blind run and every word that would tell who wrote what in it."""

from typing import Any

from councils.engine.types import RunStatus, StepStatus
from councils.models import CouncilConfiguration, CouncilMember, CouncilRun, ModelInfo, Provider, RunStep, User
from councils.tests.factories import RunPlan, finished_plan, make_council, make_run

DONE = StepStatus.DONE
ALL_IN = RunPlan(opinions=[DONE] * 4, reviews=[DONE, StepStatus.RUNNING])
ENDED = finished_plan(4, orders={1: (3, 2, 4), 2: (1, 3, 4), 3: (1, 4, 2), 4: (1, 3, 2)})


def telling_council() -> CouncilConfiguration:
    """Members, personas, models, labels and a provider whose names stand nowhere else."""
    council = make_council(name="Pricing council")
    for member in council.members.all():
        CouncilMember.objects.filter(pk=member.pk).update(persona=f"You are persona-{member.pk}.")
        ModelInfo.objects.filter(pk=member.model_id).update(name=f"secretive-{member.pk}", label=f"Label-{member.pk}")
    Provider.objects.update(name="Telltale provider")
    return council


def words_that_tell(run: CouncilRun) -> list[str]:
    """Names of members, agents, personas, models and providers of this run."""
    snapshot = run.config_snapshot
    seats: list[dict[str, Any]] = snapshot["spec"]["seats"]
    told = [seat[part] for seat in seats for part in ("name", "agent_id", "persona")]
    told += [model[part] for model in snapshot["models"].values() for part in ("name", "label", "provider_name")]
    return sorted({word for word in told if word})


def make_blind_run(owner: User, *, plan: RunPlan = ENDED, status: RunStatus = RunStatus.SUCCEEDED, **fields: Any) -> CouncilRun:
    """A run of ``telling_council``, each text ``Text of seat n.``"""
    run = make_run(owner=owner, council=telling_council(), status=status, plan=plan, blind=True, **fields)
    for step in RunStep.objects.filter(run=run, stage="opinions").exclude(text=""):
        step.text = f"Text of seat {step.agent_id.removeprefix('agent_')}."
        step.save(update_fields=["text"])
    return run
