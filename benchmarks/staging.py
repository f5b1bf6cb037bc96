"""Councils that ask the fake provider, for benchmarks and tests. Needs Django set up and a migrated database."""

from collections.abc import Sequence
from typing import Any

from councils.models import ChairmanFallback, CouncilConfiguration, CouncilMember, ModelInfo, Provider

BASE_PATHS = {"openai": "/v1", "ollama": "", "anthropic": ""}
# Prices with which rounding faults would show in the totals.
INPUT_PRICE, OUTPUT_PRICE = "0.0013", "0.0027"


def fake_model(url: str, behaviour: str, *, kind: str = "openai", at: str = "", **options: Any) -> ModelInfo:
    """A model of the fake provider at ``url``. ``behaviour`` is what stands after ``fake:`` in its name.

    Models share one provider unless ``at`` names another one at the same address: what one does is not held against the others then.
    """
    slug = "-".join(part for part in ("fake", kind, url.rpartition(":")[2], at) if part)
    values = {"name": slug, "kind": kind, "base_url": url + BASE_PATHS[kind], "allow_private_address": True, "max_parallel_calls": 200}
    provider, _ = Provider.objects.get_or_create(slug=slug, defaults=values)
    prices = {"cost_per_1k_input_tokens": INPUT_PRICE, "cost_per_1k_output_tokens": OUTPUT_PRICE}
    model, _ = ModelInfo.objects.get_or_create(provider=provider, name=f"fake:{behaviour}", defaults={**prices, **options})
    return model


def stage_council(
    seats: Sequence[ModelInfo],
    *,
    slug: str = "staged",
    chairmen: Sequence[ModelInfo] = (),
    fallbacks: Sequence[ModelInfo | None] = (),
    **options: Any,
) -> CouncilConfiguration:
    """A council of these seats, ``agent_1`` and so on. The chairmen are the first seat's model unless given; ``options`` are its fields."""
    chairman, *spare = chairmen or seats[:1]
    council = CouncilConfiguration.objects.create(name=slug.capitalize(), slug=slug, chairman_model=chairman, **options)
    for position, model in enumerate(spare):
        ChairmanFallback.objects.create(council=council, model=model, position=position)
    for number, model in enumerate(seats, start=1):
        fallback = fallbacks[number - 1] if number <= len(fallbacks) else None
        CouncilMember.objects.create(
            council=council, agent_id=f"agent_{number}", name=f"Seat {number}", model=model, fallback_model=fallback, position=number
        )
    return council
