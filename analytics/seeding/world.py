"""Who lives in the invented past: people, providers with their models and prices, councils, a budget."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.crypto import get_random_string
from django.utils.text import slugify

from councils.models import (
    Budget,
    BudgetPeriod,
    CouncilConfiguration,
    CouncilMember,
    ModelInfo,
    Provider,
    ProviderKind,
    User,
)

PEOPLE = 200
SEAT_NAMES = ("Analyst", "Skeptic", "Customer", "Operator", "Historian", "Engineer", "Economist")


@dataclass(frozen=True, slots=True)
class ModelShape:
    """A model with its prices (USD per 1,000 tokens), how long it takes (median, ms), how often it fails, and how good it is (0-1)."""

    provider: str
    name: str
    input_price: str
    output_price: str
    median_ms: int
    failures: float
    quality: float


# Names and prices are invented; their spread is that of the market: a factor of a hundred between small and large.
SHAPES = (
    ModelShape("North", "north-large", "0.0025", "0.01", 9_500, 0.012, 0.86),
    ModelShape("North", "north-medium", "0.0004", "0.0016", 5_200, 0.010, 0.70),
    ModelShape("North", "north-small", "0.0001", "0.0004", 2_600, 0.008, 0.48),
    ModelShape("Harbour", "harbour-3", "0.003", "0.015", 11_000, 0.015, 0.90),
    ModelShape("Harbour", "harbour-3-quick", "0.0008", "0.004", 4_100, 0.012, 0.66),
    ModelShape("Valley", "valley-70b", "0.0006", "0.0008", 7_400, 0.030, 0.62),
    ModelShape("Valley", "valley-8b", "0.00005", "0.00008", 2_100, 0.030, 0.38),
    ModelShape("Own machines", "qwen2.5:14b", "0", "0", 16_000, 0.045, 0.52),
    ModelShape("Own machines", "gemma3:27b", "0", "0", 24_000, 0.050, 0.58),
)
COUNCILS: Sequence[tuple[str, Sequence[int]]] = (
    ("Quick look", (2, 4, 6)),
    ("Pricing council", (0, 1, 4, 5)),
    ("Second reader", (0, 3, 5, 7)),
    ("Research", (0, 1, 3, 4, 5)),
    ("Hard questions", (0, 1, 3, 4, 5, 7, 8)),
)


@dataclass(frozen=True, slots=True)
class World:
    """What runs are made of. ``models`` are in the order of ``SHAPES``, ``councils`` in that of ``COUNCILS``."""

    people: Sequence[User]
    models: Sequence[ModelInfo]
    councils: Sequence[CouncilConfiguration]


def make_world() -> World:
    """Make them, or take those that an earlier history has made. Nobody can sign in as any of the people."""
    people = [User(username=f"reader{number}", password=f"!{get_random_string(40)}") for number in range(1, PEOPLE + 1)]
    User.objects.bulk_create(people, ignore_conflicts=True)
    models = [_model(shape) for shape in SHAPES]
    councils = [_council(name, [models[place] for place in seats]) for name, seats in COUNCILS]
    Budget.objects.get_or_create(user=None, council=None, api_key=None, period=BudgetPeriod.MONTH, defaults={"limit_usd": Decimal(5_000)})
    return World(list(User.objects.filter(username__startswith="reader").order_by("pk")), models, councils)


def _model(shape: ModelShape) -> ModelInfo:
    slug = shape.provider.lower().replace(" ", "-")
    address = {"kind": ProviderKind.OPENAI, "base_url": f"https://{slug}.example/v1", "name": shape.provider}
    provider, _ = Provider.objects.get_or_create(slug=slug, defaults=address)
    prices = {"cost_per_1k_input_tokens": Decimal(shape.input_price), "cost_per_1k_output_tokens": Decimal(shape.output_price)}
    return ModelInfo.objects.get_or_create(provider=provider, name=shape.name, defaults=prices)[0]


def _council(name: str, models: Sequence[ModelInfo]) -> CouncilConfiguration:
    chairman = {"chairman_model": models[0], "name": name, "description": "Part of an invented history."}
    council, made = CouncilConfiguration.objects.get_or_create(slug=slugify(f"history {name}"), defaults=chairman)
    if made:
        seats = enumerate(zip(SEAT_NAMES, models, strict=False), start=1)
        CouncilMember.objects.bulk_create(
            CouncilMember(council=council, agent_id=f"agent_{place}", position=place, name=seat, model=model)
            for place, (seat, model) in seats
        )
    return council
