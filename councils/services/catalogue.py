"""What a provider offers, and adding models from it with what is known of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from councils.models import ModelInfo, PriceSource, Provider, User
from councils.services.auditing import record_created
from councils.services.connecting import check_connections
from councils.services.pricing import record_price, suggest_price

MOST_OFFERS = 2000
"""Nobody chooses from more, and to look up what is known of hundreds of thousands takes minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One model that a provider serves. Prices are USD per 1,000 tokens, the window is in tokens; ``None`` is unknown.

    ``source`` says where the prices come from; ``is_there`` that the model is set up already.
    """

    name: str
    is_there: bool
    input_price: Decimal | None
    output_price: Decimal | None
    context_window: int | None
    source: PriceSource | None

    @property
    def has_prices(self) -> bool:
        return self.input_price is not None and self.output_price is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """How a provider answered when it was asked for its models; ``problem`` is one sentence, empty where all went well.

    ``named`` is how many models its list has. The first ``MOST_OFFERS`` by name are offers.
    """

    problem: str
    latency_ms: int
    named: int
    offers: Sequence[Offer]


def fetch_catalogue(provider: Provider) -> Catalogue:
    """Ask the provider's own address now, by the rules and with the key of a run."""
    answered = next(one for one in check_connections([provider]) if one.base_url == provider.base_url)
    names = _fit(answered.names)
    offers = offers_of(provider, names[:MOST_OFFERS])
    return Catalogue(problem=answered.problem, latency_ms=answered.latency_ms, named=len(names), offers=offers)


def offers_of(provider: Provider, names: Collection[str]) -> list[Offer]:
    """These models by name, with what public lists say of them. Names that no row could hold are left out."""
    there = set(ModelInfo.objects.filter(provider=provider).values_list("name", flat=True))
    return [_offer(provider, name, is_there=name in there) for name in _fit(names)]


def _fit(names: Collection[str]) -> list[str]:
    longest = ModelInfo._meta.get_field("name").max_length or 0
    return sorted(name for name in set(names) if name.strip() and len(name) <= longest and "\x00" not in name)


def _offer(provider: Provider, name: str, *, is_there: bool) -> Offer:
    model = ModelInfo(provider=provider, name=name)
    source = suggest_price(model)
    return Offer(
        name=name,
        is_there=is_there,
        input_price=model.cost_per_1k_input_tokens,
        output_price=model.cost_per_1k_output_tokens,
        context_window=model.context_window,
        source=source,
    )


@transaction.atomic
def add_models(models: Sequence[ModelInfo], *, by: User) -> None:
    """Store new models that were validated, each with the first line of its history of prices."""
    for model in models:
        suggested = _offer(model.provider, model.name, is_there=False)
        prices = (model.cost_per_1k_input_tokens, model.cost_per_1k_output_tokens)
        model.save()
        record_created(model)
        as_listed = prices == (suggested.input_price, suggested.output_price)
        record_price(model, source=suggested.source if as_listed else None, by=by)
