"""What models cost: public lists (``genai-prices``) as a start, a history of every change, and no use without a price."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import TieredPrices

from councils.models import ModelInfo, ModelPrice, PriceSource, Provider, ProviderKind, User
from councils.services.auditing import audited
from councils.snapshot import Snapshot

FREE = Decimal(0)
MAY_SET = "councils.set_prices"
"""A right beside that to change models: a budget holds back by the price, so whoever says 0 switches it off."""


@dataclass(frozen=True, slots=True)
class ListPrice:
    """USD per 1,000 tokens, as ``ModelInfo`` keeps it, and the context window in tokens where it is known."""

    input_price: Decimal
    output_price: Decimal
    context_window: int | None


def list_price(*, base_url: str, model: str) -> ListPrice | None:
    """What the provider at this address asks for a model; ``None`` where it is not known. Long prompts may cost more than this."""
    try:
        found = get_snapshot().find_provider_model(model, None, None, base_url)[1]
    except LookupError:
        return None
    prices = found.get_prices(datetime.now(UTC))
    if prices.input_mtok is None or prices.output_mtok is None:
        return None
    return ListPrice(_per_thousand(prices.input_mtok), _per_thousand(prices.output_mtok), found.context_window)


def missing_prices(snapshot: Snapshot) -> list[str]:
    """One sentence for each model of a council that has no price: what it spends could not be told, nor held back by a budget."""
    return [missing_price(label) for label in dict.fromkeys(target.label for target in snapshot.models.values() if not target.has_prices)]


def missing_price(label: str) -> str:
    """What keeps a council from asking this model."""
    return _("The price of %(model)s is not known. Staff must enter it, or mark the model as free.") % {"model": label}


def is_own(provider: Provider) -> bool:
    """Whether this provider's models run on machines of the operator's own: they cost nothing by the token.

    A private address does not say so: a gateway inside the network may resell models that are paid for.
    """
    return provider.kind == ProviderKind.OLLAMA


def suggest_price(model: ModelInfo) -> PriceSource | None:
    """Fill in the price of a new model that nobody has given one: free on Ollama, else from a public list. The caller saves.

    ``None``: there is a price already, or it is not known.
    """
    if model.cost_per_1k_input_tokens is not None or model.cost_per_1k_output_tokens is not None:
        return None
    if is_own(model.provider):
        model.cost_per_1k_input_tokens = model.cost_per_1k_output_tokens = FREE
        return PriceSource.FREE
    known = list_price(base_url=model.provider.base_url, model=model.name)
    if known is None:
        return None
    model.cost_per_1k_input_tokens, model.cost_per_1k_output_tokens = known.input_price, known.output_price
    model.context_window = model.context_window or known.context_window
    return PriceSource.LIST


def record_price(model: ModelInfo, *, source: PriceSource | None = None, by: User | None = None) -> ModelPrice | None:
    """Add the stored price of a model to its history, where it is not what the history says last. Call it with each price that is saved.

    Without a ``source`` it was entered; a price of 0 then says that the model is free.
    """
    prices = (model.cost_per_1k_input_tokens, model.cost_per_1k_output_tokens)
    newest = ModelPrice.objects.newest_of(model)
    if prices == ((newest.input_price, newest.output_price) if newest else (None, None)):
        return None
    kind = source or (PriceSource.FREE if prices == (FREE, FREE) else PriceSource.MANUAL)
    return ModelPrice.objects.create(
        model=model,
        model_name=model.name,
        provider_name=model.provider.name,
        input_price=prices[0],
        output_price=prices[1],
        source=kind,
        by=by,
    )


@transaction.atomic
def mark_free(models: QuerySet[ModelInfo], *, by: User) -> int:
    """Say of these models that they cost nothing. Returns how many had another price, or none, before."""
    changed = [model for model in models if (model.cost_per_1k_input_tokens, model.cost_per_1k_output_tokens) != (FREE, FREE)]
    with audited(changed):
        for model in changed:
            model.cost_per_1k_input_tokens = model.cost_per_1k_output_tokens = FREE
            model.save(update_fields=["cost_per_1k_input_tokens", "cost_per_1k_output_tokens", "updated_at"])
            record_price(model, source=PriceSource.FREE, by=by)
    return len(changed)


def _per_thousand(per_million: Decimal | TieredPrices) -> Decimal:
    base = per_million.base if isinstance(per_million, TieredPrices) else per_million
    return base / 1000
