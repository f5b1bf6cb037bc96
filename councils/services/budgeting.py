"""Whether budgets can pay for a run, and what people are told of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from decimal import Decimal

from django.db.models import Sum
from django.db.models.functions import Length
from django.utils import timezone
from django.utils.translation import gettext as _

from councils.formatting import moment, usd
from councils.models import ApiKey, AtLimit, Budget, BudgetAccount, BudgetPeriod, Conversation, CouncilConfiguration, Message, User
from councils.models.budget import MOST_USD
from councils.services.errors import BudgetExceeded
from councils.services.estimating import Estimate, Matter, estimate_run, past_of
from councils.snapshot import Snapshot
from councils.store.budgets import BudgetExhausted, accounts_at, open_accounts, set_aside

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One budget in its present period, as people see it. Amounts in USD; ``left`` is never below zero."""

    budget: Budget
    account: BudgetAccount

    @property
    def limit(self) -> Decimal:
        return self.budget.limit_usd

    @property
    def left(self) -> Decimal:
        return max(self.limit - self.account.spent_usd - self.account.reserved_usd, NOTHING)

    @property
    def used_share(self) -> int:
        """How much is spent or reserved, in whole percent of the limit: 100 only where nothing is left, more where it is overdrawn."""
        return 100 if not self.limit else int((self.account.spent_usd + self.account.reserved_usd) * 100 / self.limit)

    @property
    def has_counted(self) -> bool:
        """Whether its account is there. Before the first question of a period it knows nothing of what was spent."""
        return self.account.pk is not None

    @property
    def renews_at(self) -> datetime:
        """The first moment of the next period, UTC."""
        return datetime.combine(BudgetPeriod(self.budget.period).end(self.account.period_start), time.min, UTC)

    @property
    def name(self) -> str:
        """Whose budget it is, to the people whom it holds."""
        if self.budget.user_id is not None:
            return _("your budget")
        if self.budget.api_key is not None:
            return _("the budget of the API key %(name)s") % {"name": self.budget.api_key.name}
        if self.budget.council is not None:
            return _("the budget of %(council)s") % {"council": self.budget.council.name}
        return _("the budget for everybody")

    @property
    def sentence(self) -> str:
        """What is left, of how much, and when there is more."""
        facts = {"left": usd(self.left), "limit": usd(self.limit), "name": self.name, "renews": moment(self.renews_at)}
        if self.budget.period == BudgetPeriod.DAY:
            return _("%(left)s of %(limit)s are left today (%(name)s). It renews on %(renews)s.") % facts
        return _("%(left)s of %(limit)s are left this month (%(name)s). It renews on %(renews)s.") % facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What budgets hold for a run that is about to start: USD by account. Empty where none applies, or nothing costs anything."""

    set_aside: Mapping[int, Decimal] = field(default_factory=dict)
    standings: Sequence[Standing] = ()

    def hold(self) -> None:
        """Hold it, in a transaction and before any other row is locked. Raises ``BudgetExceeded``: then the transaction rolls back."""
        limits = {standing.account.pk: standing.limit for standing in self.standings}
        try:
            set_aside(self.set_aside, limits)
        except BudgetExhausted as error:
            short = next(standing for standing in self.standings if standing.account.pk == error.account)
            raise _exceeded(short, self.set_aside[error.account]) from None


def payment_for(
    snapshot: Snapshot,
    question: str,
    *,
    by: User,
    council: CouncilConfiguration | None,
    api_key: ApiKey | None = None,
    conversation: Conversation | None = None,
    kept: frozenset[str] = frozenset(),
) -> Payment:
    """What the budgets that bind this run must hold for it. ``kept`` are the keys of steps that are not paid for again.

    A budget that refuses what may not fit holds the upper estimate, so that a run that has started is not broken off. One that finishes
    with what is there holds what is expected. Raises ``BudgetExceeded`` where the cost cannot be estimated: it could be any amount.
    """
    budgets = list(_binding(by=by, council=council, api_key=api_key))
    if not budgets:
        return Payment()
    estimate = estimate_run(snapshot, matter_of(question, council=council, conversation=conversation, kept=kept))
    if estimate.high == 0:
        return Payment()
    by_pk = {budget.pk: budget for budget in budgets}
    standings = [Standing(budget=by_pk[account.budget_id], account=account) for account in open_accounts(budgets, timezone.now())]
    amounts = {standing.account.pk: _share(standing, estimate) for standing in standings}
    return Payment(set_aside=amounts, standings=standings)


def matter_of(
    question: str, *, council: CouncilConfiguration | None, conversation: Conversation | None, kept: frozenset[str] = frozenset()
) -> Matter:
    """What an estimate goes by. Two queries."""
    history = _history_chars(conversation) if conversation else 0
    return Matter(question=question, history_chars=history, kept=kept, past=past_of(council.pk) if council else {})


def needed_by(budget: Budget, estimate: Estimate) -> Decimal | None:
    """What a budget must hold before such a run begins, in USD; ``None`` where it is not known."""
    return estimate.high if budget.at_limit == AtLimit.REFUSE else estimate.expected


def _share(standing: Standing, estimate: Estimate) -> Decimal:
    amount = needed_by(standing.budget, estimate)
    if amount is None:
        raise BudgetExceeded(_("What it would cost is not known, since a price of a model is missing. Ask the people who run this site."))
    if amount > MOST_USD:
        raise _exceeded(standing, amount)
    return amount


def _history_chars(conversation: Conversation) -> int:
    return Message.objects.filter(conversation=conversation).aggregate(chars=Sum(Length("text")))["chars"] or 0


def _binding(*, by: User, council: CouncilConfiguration | None, api_key: ApiKey | None) -> Sequence[Budget]:
    wanted = Budget.objects.binding(user_id=by.pk, council_id=council.pk if council else None, api_key_id=api_key.pk if api_key else None)
    return list(wanted.select_related("user", "council", "api_key"))


def standings_for(*, by: User, council: CouncilConfiguration | None = None, api_key: ApiKey | None = None) -> list[Standing]:
    """The budgets that bind this user now, the one with the least left first."""
    budgets = _binding(by=by, council=council, api_key=api_key)
    accounts = accounts_at(budgets, timezone.now())
    standings = [Standing(budget=budget, account=account) for budget, account in zip(budgets, accounts, strict=True)]
    return sorted(standings, key=lambda standing: standing.left)


def standings_for_everybody(at: datetime) -> dict[str, Standing]:
    """Where the budgets that bind all questions stand, by period. An account that is not stored says nothing of what was spent."""
    budgets = list(Budget.objects.filter(user=None, council=None, api_key=None, is_active=True))
    return {str(account.budget.period): Standing(budget=account.budget, account=account) for account in accounts_at(budgets, at)}


def open_budget(budget: Budget) -> Decimal:
    """Let a new budget count from now on. Returns what its present period has spent already, in USD."""
    (account,) = open_accounts([budget], timezone.now())
    return account.spent_usd


def _exceeded(short: Standing, needed: Decimal) -> BudgetExceeded:
    left = {"needed": usd(needed), "standing": short.sentence, "advice": _advice(short, needed)}
    if short.budget.at_limit == AtLimit.REFUSE:
        detail = _("It may cost up to %(needed)s. %(standing)s %(advice)s") % left
    else:
        detail = _("It is expected to cost %(needed)s. %(standing)s %(advice)s") % left
    facts = {
        "budget": short.budget.scope_kind,
        "period": str(short.budget.period),
        "limit_usd": str(short.limit),
        "left_usd": f"{short.left:f}",
        "needed_usd": f"{needed:f}",
        "renews_at": short.renews_at.isoformat(),
    }
    return BudgetExceeded(detail, facts)


def _advice(short: Standing, needed: Decimal) -> str:
    """What to do about it: waiting helps only where a whole budget pays."""
    if needed > short.limit:
        return _("Not even the whole budget pays for it: ask a council that costs less, or ask the people who run this site.")
    return _("Ask then, ask a council that costs less, or ask the people who run this site.")
