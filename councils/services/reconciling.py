"""Whether the accounts of budgets say what the ledger says."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection, transaction

from councils.models import BudgetAccount, BudgetHold, LedgerEntry, ModelCall
from councils.models.run import LIVE
from councils.store.budgets import NOTHING, Hold, Position

Sums = Mapping[int, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An account that differs from what the ledger makes of it. USD."""

    account: BudgetAccount
    spent: Decimal
    reserved: Decimal

    def __str__(self) -> str:
        booked = f"spent {self.account.spent_usd:f}, reserved {self.account.reserved_usd:f}"
        return f"{self.account}: {booked} USD; the ledger says spent {self.spent:f}, reserved {self.reserved:f} USD"


def differences() -> list[Difference]:
    """Every account recomputed from the ledger and the calls of its runs, at one moment; empty when all agree.

    What an account was opened with is taken as it stands. An account keeps what a run cost whose records were deleted meanwhile: then it
    says more than the ledger.
    """
    # A transaction that has begun has its isolation already.
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost and connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        spent, reserved = _by_account(_spent_by_run(), _open_by_run())
        accounts = BudgetAccount.objects.select_related("budget__user", "budget__council", "budget__api_key").order_by("pk")
        found = [
            Difference(account=row, spent=row.opening_usd + spent.get(row.pk, NOTHING), reserved=reserved.get(row.pk, NOTHING))
            for row in accounts
        ]
    return [one for one in found if (one.spent, one.reserved) != (one.account.spent_usd, one.account.reserved_usd)]


def _spent_by_run() -> Sums:
    # Added up here: not every database adds decimals exactly.
    sums: dict[int, Decimal] = defaultdict(Decimal)
    entries = LedgerEntry.objects.filter(amount_usd__isnull=False, call__run__holds__isnull=False).order_by().distinct()
    for _, run, amount in entries.values_list("pk", "call__run", "amount_usd").iterator():
        sums[run] += amount or NOTHING
    return sums


def _open_by_run() -> Sums:
    sums: dict[int, Decimal] = defaultdict(Decimal)
    calls = ModelCall.objects.filter(cost_usd=None, reserved_usd__gt=0).order_by()
    for run, amount in calls.values_list("run", "reserved_usd").iterator():
        sums[run] += amount
    return sums


def _by_account(spent: Sums, still_open: Sums) -> tuple[Sums, Sums]:
    of_account: dict[int, Decimal] = defaultdict(Decimal)
    held: dict[int, Decimal] = defaultdict(Decimal)
    rows = BudgetHold.objects.order_by().values_list("account", "run", "run__status", "set_aside_usd")
    for account, run, status, set_aside in rows.iterator():
        position = Position(spent.get(run, NOTHING), still_open.get(run, NOTHING), is_live=status in LIVE)
        of_account[account] += position.spent
        held[account] += position.held(Hold(account, set_aside))
    return of_account, held
