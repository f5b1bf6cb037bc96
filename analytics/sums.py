"""What sums of calls say, wherever they are held: in a stored row, in a line of a report or in a span of time."""

from decimal import Decimal
from typing import Protocol

from councils.models.budget import to_usd


class HasCosts(Protocol):
    @property
    def cost_units(self) -> int: ...


class HasTokens(Protocol):
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def completion_tokens(self) -> int: ...


class HasRequests(Protocol):
    @property
    def requests(self) -> int: ...
    @property
    def errors(self) -> int: ...
    @property
    def cancelled(self) -> int: ...


class Spent:
    """What calls took."""

    __slots__ = ()

    @property
    def cost_usd(self: HasCosts) -> Decimal:
        """Without the ``unknown_costs`` calls whose cost is not known."""
        return to_usd(self.cost_units)

    @property
    def total_tokens(self: HasTokens) -> int:
        return self.prompt_tokens + self.completion_tokens


class Sums(Spent):
    """What calls took, and how they went."""

    __slots__ = ()

    @property
    def success_rate(self: HasRequests) -> float | None:
        """Answers per request that was not cancelled, 0-1; ``None`` where there was none."""
        judged = self.requests - self.cancelled
        return (judged - self.errors) / judged if judged else None
