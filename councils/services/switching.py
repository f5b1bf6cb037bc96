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
    """The councils that can be asked and use one of these models, by name. Nothing is written to find it out."""
    by = {"members__model", "members__fallback_model", "chairman_model", "chairman_fallbacks__model"}
    wanted = Q()
    for field in by:
        wanted |= Q(**{f"{field}__in": list(models)})
    pks = set(CouncilConfiguration.objects.active().filter(wanted).values_list("pk", flat=True))
    if not pks:
        return []
    councils = CouncilConfiguration.objects.filter(pk__in=pks).order_by("name").with_details()
    return [_hit(one, set(models)) for one in councils]


def _hit(council: CouncilConfiguration, models: Collection[int]) -> Hit:
    for model in _models_of(council):
        # In memory alone: it is looked at as if they were off.
        model.is_active = model.is_active and model.pk not in models
    return Hit(council=council, uses=tuple(_uses(council, models)), problems=tuple(council_problems(council)))


def _models_of(council: CouncilConfiguration) -> Iterator[ModelInfo]:
    """Every model that it names, as it was loaded: the same model may be there more than once."""
    yield council.chairman_model
    for seat in council.members.all():
        yield from (model for model in (seat.model, seat.fallback_model) if model is not None)
    yield from (fallback.model for fallback in council.chairman_fallbacks.all())


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
