"""List prices of well-known models, from the ``genai-prices`` package: a start, which staff can correct."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import TieredPrices


@dataclass(frozen=True, slots=True)
class ListPrice:
    """USD per 1,000 tokens, as ``ModelInfo`` keeps it, and the context window in tokens where it is known."""

    input_price: Decimal
    output_price: Decimal
    context_window: int | None


def list_price(*, base_url: str, model: str) -> ListPrice | None:
    """What the provider at this address asks for a model; ``None`` where it is not known. Long prompts may cost more than this."""
    try:
        _, found = get_snapshot().find_provider_model(model, None, None, base_url)
    except LookupError:
        return None
    prices = found.get_prices(datetime.now(UTC))
    if prices.input_mtok is None or prices.output_mtok is None:
        return None
    return ListPrice(_per_thousand(prices.input_mtok), _per_thousand(prices.output_mtok), found.context_window)


def _per_thousand(per_million: Decimal | TieredPrices) -> Decimal:
    base = per_million.base if isinstance(per_million, TieredPrices) else per_million
    return base / 1000
