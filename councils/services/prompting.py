"""Which councils use which version of a prompt, and moving them from one version to another."""

from collections.abc import Collection

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from councils.models import CouncilConfiguration, PromptTemplate
from councils.services.configuration.fields import COUNCIL_PROMPTS

_COLUMNS = {stage: column for column, stage in COUNCIL_PROMPTS.items()}


def councils_using(template: PromptTemplate) -> QuerySet[CouncilConfiguration]:
    """Councils that ask with this very version."""
    return CouncilConfiguration.objects.filter(**{_COLUMNS[template.stage]: template}).order_by("name")


def councils_on_other_versions(template: PromptTemplate) -> QuerySet[CouncilConfiguration]:
    """Councils that ask with another version of the same prompt."""
    others = PromptTemplate.objects.filter(stage=template.stage, name=template.name).exclude(pk=template.pk)
    return CouncilConfiguration.objects.filter(**{f"{_COLUMNS[template.stage]}__in": others}).order_by("name")


@transaction.atomic
def use_version(*, template: PromptTemplate, council_ids: Collection[int]) -> list[CouncilConfiguration]:
    """Move these councils to this version of the prompt they use already; others stay as they are. Counts from the next run on."""
    moved = list(councils_on_other_versions(template).filter(pk__in=council_ids))
    change = {_COLUMNS[template.stage]: template, "updated_at": timezone.now()}
    CouncilConfiguration.objects.filter(pk__in=[council.pk for council in moved]).update(**change)
    return moved
