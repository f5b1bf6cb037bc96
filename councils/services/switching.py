"""What switching models off does to the councils that use them, told before it is done."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from councils.models import CouncilConfiguration, ModelInfo
from councils.services.auditing import audited
from councils.services.standing import council_problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A council that uses some of the models. ``problems`` are what would keep it from being asked without them."""

    council: CouncilConfiguration
    uses: tuple[str, ...]
    problems: tuple[str, ...]


def councils_hit(models: Collection[int]) -> list[Hit]:
    """The councils that can be asked and use one of these models, by name. Switches them off for a moment, which is taken back."""
    by = {"members__model", "members__fallback_model", "chairman_model", "chairman_fallbacks__model"}
    wanted = Q()
    for field in by:
        wanted |= Q(**{f"{field}__in": list(models)})
    pks = set(CouncilConfiguration.objects.active().filter(wanted).values_list("pk", flat=True))
    if not pks:
        return []
    with transaction.atomic():
        ModelInfo.objects.filter(pk__in=models).update(is_active=False)
        councils = CouncilConfiguration.objects.filter(pk__in=pks).order_by("name").with_details()
        hits = [Hit(council=one, uses=tuple(_uses(one, set(models))), problems=tuple(council_problems(one))) for one in councils]
        transaction.set_rollback(True)
    return hits


def switch_off(rows: QuerySet[Any]) -> int:
    """Switch these models or providers off; how many that were."""
    chosen = rows.filter(is_active=True)
    with transaction.atomic(), audited(list(chosen)):
        return chosen.update(is_active=False)


def _uses(council: CouncilConfiguration, models: Collection[int]) -> Iterator[str]:
    """Where the council has them, in words."""
    for seat in council.members.all():
        if seat.model_id in models:
            yield f"seat {seat.name}"
        elif seat.fallback_model_id in models:
            yield f"fallback of {seat.name}"
    if council.chairman_model_id in models:
        yield "chairman"
    if any(fallback.model_id in models for fallback in council.chairman_fallbacks.all()):
        yield "fallback of the chairman"
