"""Which councils and runs use which version of a prompt, and moving councils from one version to another."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from councils.models import CouncilConfiguration, PromptTemplate, RunPrompt
from councils.models.turns import take_turn
from councils.services.auditing import audited
from councils.services.configuration.fields import COUNCIL_PROMPTS

_COLUMNS = {stage: column for column, stage in COUNCIL_PROMPTS.items()}


def councils_using(template: PromptTemplate) -> QuerySet[CouncilConfiguration]:
    """Councils that ask with this very version."""
    return CouncilConfiguration.objects.filter(**{_COLUMNS[template.stage]: template}).order_by("name")


def councils_on_other_versions(template: PromptTemplate) -> QuerySet[CouncilConfiguration]:
    """Councils that ask with another version of the same prompt."""
    others = PromptTemplate.objects.filter(stage=template.stage, name=template.name).exclude(pk=template.pk)
    return CouncilConfiguration.objects.filter(**{f"{_COLUMNS[template.stage]}__in": others}).order_by("name")


def version_in(council: CouncilConfiguration, stage: str) -> PromptTemplate | None:
    """What this council asks with at a stage; ``None`` for the built-in prompt."""
    found: PromptTemplate | None = getattr(council, _COLUMNS[stage])
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a prompt and who asks with it. ``runs`` counts those that have begun, trials too."""

    template: PromptTemplate
    councils: Sequence[CouncilConfiguration]
    runs: int


def versions_of(template: PromptTemplate) -> list[Version]:
    """All versions of this prompt, newest first. Three queries, however many there are."""
    templates = list(PromptTemplate.objects.filter(stage=template.stage, name=template.name).order_by("-version"))
    column = _COLUMNS[template.stage]
    councils: dict[int, list[CouncilConfiguration]] = {}
    for council in CouncilConfiguration.objects.filter(**{f"{column}__in": templates}).order_by("name"):
        councils.setdefault(getattr(council, f"{column}_id"), []).append(council)
    runs = _runs_by_template(templates)
    return [Version(template=one, councils=councils.get(one.pk, ()), runs=runs.get(one.pk, 0)) for one in templates]


def _runs_by_template(templates: Collection[PromptTemplate]) -> Mapping[int, int]:
    counts = RunPrompt.objects.filter(template__in=templates).order_by().values_list("template").annotate(n=Count("pk"))
    return dict(counts)


@transaction.atomic
def use_version(*, template: PromptTemplate, council_ids: Collection[int]) -> list[CouncilConfiguration]:
    """Move these councils to this version of the prompt they use already; others stay as they are. Counts from the next run on."""
    take_turn()
    moved = list(councils_on_other_versions(template).filter(pk__in=council_ids))
    change = {_COLUMNS[template.stage]: template, "updated_at": timezone.now()}
    with audited(moved, note=f"Uses {template}."):
        CouncilConfiguration.objects.filter(pk__in=[council.pk for council in moved]).update(**change)
    return moved
