"""Whether the questions that a budget binds fit into it at all: one that is too small for any of them refuses for ever."""

from collections.abc import Sequence
from decimal import Decimal

from councils.formatting import usd
from councils.models import AtLimit, Budget, CouncilConfiguration
from councils.services.budgeting import needed_by
from councils.services.expecting import expectations

NAMED = 3
ADVICE = {
    AtLimit.REFUSE: "It refuses what may not fit: limit the tokens of their members and chairmen, raise the limit, or choose Finish.",
    AtLimit.PARTIAL: "Raise the limit.",
}


def too_small_for(budget: Budget) -> str:
    """Which councils cannot be asked on this budget even when nothing of it is spent, for staff; empty where all can.

    A limit of 0 is meant to stop what costs anything. Goes by a question of usual length.
    """
    if not budget.is_active or not budget.limit_usd:
        return ""
    dear = _too_dear(budget)
    if not dear:
        return ""
    cost = "may cost up to" if budget.at_limit == AtLimit.REFUSE else "is expected to cost"
    named = ", ".join(f"{name} (one {cost} {usd(needed)})" for name, needed in dear[:NAMED])
    more = f" and {len(dear) - NAMED} more" if len(dear) > NAMED else ""
    return f"It is too small for any question to {named}{more}. {ADVICE[AtLimit(budget.at_limit)]}"


def _too_dear(budget: Budget) -> Sequence[tuple[str, Decimal]]:
    """The councils that need more than the whole limit, each with how much. What is not known is refused for another reason."""
    bound = CouncilConfiguration.objects.active().with_details()
    councils = list(bound.filter(pk=budget.council_id) if budget.council_id else bound)
    expected = expectations(councils)
    needed = ((council.name, needed_by(budget, expected[council.pk].estimate)) for council in councils)
    return [(name, amount) for name, amount in needed if amount is not None and amount > budget.limit_usd]
