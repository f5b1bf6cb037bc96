"""Budgets: what is held back before it is spent, and what was spent.

A run is tied to its budgets' accounts when it is asked (``BudgetHold``). From then on each of them holds for it whichever is more: what is
left of the sum set aside for the whole run, or the upper estimates of its calls under way. So most calls begin without a look at any
account, and none begins that an account could not pay.

- A check is one conditional ``UPDATE`` per account; nobody reads a sum and then writes it.
- Locks are taken in one order, so that no two transactions wait for each other: accounts by their numbers, then runs. SQLite has one
  writer at a time and needs none.
- A call whose cost is not known keeps its upper estimate reserved until it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_CEILING, Decimal
from operator import attrgetter

from django.db import connection, transaction
from django.db.models import BigIntegerField, Exists, F, OuterRef, Sum
from django.db.models.functions import Cast, Round

from councils.models import Budget, BudgetAccount, BudgetHold, BudgetPeriod, CouncilRun
from councils.models.budget import MOST_USD, UNIT_USD, UNITS, to_units

NOTHING = Decimal(0)


class BudgetExhausted(Exception):
    """A budget cannot pay for this any more."""

    def __init__(self, account: int) -> None:
        super().__init__(self.__doc__)
        self.account = account


@dataclass(frozen=True, slots=True)
class Hold:
    """That a run counts against this account, which set aside so many USD for it."""

    account: int
    set_aside: Decimal


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run stands, in USD: spent for certain, and the upper estimates of calls under way or of unknown cost."""

    spent: Decimal
    open: Decimal
    is_live: bool

    @classmethod
    def of(cls, run: CouncilRun) -> "Position":
        return cls(run.known_cost_usd, run.open_usd, run.is_live)

    def held(self, hold: Hold) -> Decimal:
        """What the account holds back for the run. What was set aside for a run is free again when it has ended."""
        return max(hold.set_aside - self.spent, self.open) if self.is_live else self.open


def rounded_up(amount: Decimal) -> Decimal:
    """To the unit in which accounts count. Rounded up, an estimate stays an upper one."""
    return amount.quantize(UNIT_USD, ROUND_CEILING)


def accounts_at(budgets: Sequence[Budget], at: datetime) -> list[BudgetAccount]:
    """The accounts of these budgets for the periods of this moment, to look at: one that is not there yet is empty and not stored."""
    wanted = {budget.pk: BudgetPeriod(budget.period).start(at) for budget in budgets}
    found = {account.budget_id: account for account in _accounts(wanted)} if wanted else {}
    return [found.get(budget.pk) or BudgetAccount(budget=budget, period_start=wanted[budget.pk]) for budget in budgets]


def open_accounts(budgets: Sequence[Budget], at: datetime) -> list[BudgetAccount]:
    """The accounts of these budgets for the periods of this moment, in the order in which they are locked.

    One that is not there yet is made, and begins with what the questions of its period have cost by then: a budget that is made on the
    20th counts the month, not its last ten days. What calls under way will cost is not known, so they do not count.
    Call it outside of a transaction that holds locks: who makes the same one at the same time waits.
    """
    wanted = {budget.pk: BudgetPeriod(budget.period).start(at) for budget in budgets}
    found = _accounts(wanted)
    if len(found) < len(wanted):
        there = {account.budget_id for account in found}
        with transaction.atomic():
            missing = [_opened(budget, wanted[budget.pk]) for budget in sorted(budgets, key=attrgetter("pk")) if budget.pk not in there]
            BudgetAccount.objects.bulk_create(missing, ignore_conflicts=True)
        found = _accounts(wanted)
    return found


def _opened(budget: Budget, start: date) -> BudgetAccount:
    """A new account. Runs of its period that were asked before are not tied to it: what they have cost so far is its opening sum.

    A run that was paid for just before midnight and stored just after it is tied to the account of the day before, and counts there alone.
    """
    begin, end = (datetime.combine(day, time.min, UTC) for day in (start, BudgetPeriod(budget.period).end(start)))
    elsewhere = Exists(BudgetHold.objects.filter(run=OuterRef("pk"), account__budget=budget.pk))
    earlier = CouncilRun.objects.filter(~elsewhere, budget.runs, created_at__gte=begin, created_at__lt=end)
    # In whole units, row by row: not every database adds decimals exactly.
    units = Cast(Round(F("known_cost_usd") * UNITS), BigIntegerField())
    opening = int(earlier.order_by().aggregate(units=Sum(units))["units"] or 0)
    return BudgetAccount(budget=budget, period_start=start, spent=opening, opening=opening)


def _accounts(wanted: Mapping[int, date]) -> list[BudgetAccount]:
    rows = BudgetAccount.objects.filter(budget__in=wanted, period_start__in=set(wanted.values())).select_related("budget").order_by("pk")
    return [row for row in rows if row.period_start == wanted[row.budget_id]]


def lock(accounts: Iterable[int]) -> None:
    """Lock these accounts until the transaction ends, before any run of theirs is locked."""
    wanted = sorted(set(accounts))
    if wanted and connection.features.has_select_for_update:
        list(BudgetAccount.objects.select_for_update().filter(pk__in=wanted).order_by("pk").values_list("pk"))


def lock_for(run_pk: int) -> None:
    """The same for the accounts of a run, for who does not know them."""
    lock(accounts_of([run_pk]))


def accounts_of(runs: Sequence[int]) -> list[int]:
    """The accounts that are locked before these runs; none where nothing is locked. They are the same for all of a run's life."""
    if not runs or not connection.features.has_select_for_update:
        return []
    return list(BudgetHold.objects.filter(run__in=runs).order_by().values_list("account", flat=True))


def set_aside(wishes: Mapping[int, Decimal], limits: Mapping[int, Decimal]) -> None:
    """Hold these amounts (USD by account) for a run that is about to be asked. Raises ``BudgetExhausted``: then the caller rolls back."""
    for account in sorted(wishes):
        _hold_more(account, wishes[account], limits.get(account))


def tie(run: CouncilRun, wishes: Mapping[int, Decimal]) -> None:
    """Write down which accounts a new run counts against, and what was set aside."""
    BudgetHold.objects.bulk_create(BudgetHold(run=run, account_id=pk, set_aside_usd=wishes[pk]) for pk in sorted(wishes))


def holds_of(run_pk: int) -> tuple[Hold, ...]:
    rows = BudgetHold.objects.filter(run=run_pk).order_by("account").values_list("account", "set_aside_usd")
    return tuple(Hold(account, amount) for account, amount in rows)


def reserve(run: CouncilRun, holds: Sequence[Hold], amount: Decimal | None) -> Decimal:
    """Hold the upper estimate of one call; the caller saves ``open_usd``. Returns what is reserved, 0 for a run without budgets.

    Raises ``BudgetExhausted`` when an account cannot hold that much, or when the estimate is unknown, or beyond what can
    be written down: that could be any amount.
    """
    if not holds:
        return NOTHING
    # More than can be written down is like any amount: it can be held nowhere.
    if amount is None or run.open_usd + rounded_up(amount) > MOST_USD:
        raise BudgetExhausted(holds[0].account)
    wanted, before = rounded_up(amount), Position.of(run)
    run.open_usd += wanted
    more = {hold.account: Position.of(run).held(hold) - before.held(hold) for hold in holds}
    more = {account: extra for account, extra in more.items() if extra > 0}
    limits = _limits(more) if more else {}
    for account in sorted(more):
        _hold_more(account, more[account], limits.get(account))
    return wanted


def _limits(accounts: Iterable[int]) -> dict[int, Decimal]:
    """By account; a budget that was switched off meanwhile has no limit."""
    rows = BudgetAccount.objects.filter(pk__in=accounts, budget__is_active=True).values_list("pk", "budget__limit_usd")
    return dict(rows)


def _hold_more(account: int, amount: Decimal, limit: Decimal | None) -> None:
    units = to_units(amount)
    if not units:
        return
    rows = BudgetAccount.objects.filter(pk=account)
    if limit is not None:
        # Everything that is compared stands in the row that is updated: a concurrent change is seen, not overlooked.
        rows = rows.filter(spent__lte=to_units(limit) - units - F("reserved"))
    if not rows.update(reserved=F("reserved") + units) and limit is not None:
        raise BudgetExhausted(account)


def move(holds: Iterable[Hold], before: Position, after: Position) -> None:
    """Bring the accounts from one position of a run to the next, whatever their limits say: this has happened."""
    spent = to_units(after.spent - before.spent)
    for hold in holds:
        reserved = to_units(after.held(hold) - before.held(hold))
        if spent or reserved:
            BudgetAccount.objects.filter(pk=hold.account).update(spent=F("spent") + spent, reserved=F("reserved") + reserved)
