"""Booking calls that died with their owner: nobody else will ever know what they cost."""

from decimal import Decimal
from enum import StrEnum

from councils.engine.types import UsageSource
from councils.models import ModelCall
from councils.store.corrections import correct_cost


class Settlement(StrEnum):
    """How a call of unknown cost is booked. The estimate is the upper one that budgets held: a call without any has none."""

    NOTHING = "nothing"
    ESTIMATED = "estimated"


def settle_cost(*, call: ModelCall, settlement: Settlement) -> Decimal | None:
    """Book a call of unknown cost so, and free what budgets held for it. Doing it again does nothing.

    Returns what was booked, in USD; ``None`` where nothing was: the cost is known, its run goes on, or there is no estimate.
    """
    if settlement is Settlement.NOTHING:
        return Decimal(0) if correct_cost(call, cost=Decimal(0)) else None
    if not call.reserved_usd:
        return None
    booked = correct_cost(call, cost=call.reserved_usd, usage_source=UsageSource.ESTIMATED.value)
    return call.reserved_usd if booked else None
