"""What staff say of calls whose cost nobody knows any more."""

from decimal import Decimal

from django.db import transaction

from councils.models import EntryKind, LedgerEntry, ModelCall
from councils.models.budget import UNIT_USD
from councils.store.budgets import Position, holds_of, lock_for, move
from councils.store.calls import charge
from councils.store.events import hold, keep
from councils.store.telling import tell_correction


@transaction.atomic
def correct_cost(call: ModelCall, *, cost: Decimal, usage_source: str = "") -> bool:
    """Book a call of unknown cost for so many USD, and give back what budgets held for it, in one commit.

    ``False``: its cost is known by now, or its run goes on and may yet bring it home. Then nothing is written.
    """
    lock_for(call.run_id)
    run = hold(call.run_id)
    if run.is_live or LedgerEntry.objects.filter(call=call, kind=EntryKind.CORRECTED).exists():
        return False
    before, cost = Position.of(run), cost.quantize(UNIT_USD)
    facts = {"cost_usd": cost} | ({"usage_source": usage_source} if usage_source else {})
    if not ModelCall.objects.of_unknown_cost().filter(pk=call.pk).update(**facts):
        return False
    run.unknown_costs -= 1
    charge(run, call.pk, cost=cost, kind=EntryKind.CORRECTED)
    tell_correction(call, cost)
    run.open_usd -= call.reserved_usd
    keep(run, "known_cost_usd", "unknown_costs", "open_usd")
    move(holds_of(run.pk), before, Position.of(run))
    return True
