"""Limits on spending, and the running sums that are held against them.

A run counts in the day and the month in which it was asked, UTC, wherever midnight finds it. Sums are whole numbers of hundred-millionths
of a dollar (``units``): a database adds them exactly, which it does not do with decimals everywhere.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from councils.models.council import CouncilConfiguration
from councils.models.run import CouncilRun
from councils.models.user import ApiKey, User

UNITS = 100_000_000
UNIT_USD = Decimal(1) / UNITS
MOST_USD = Decimal(99_999_999)
"""The largest sum that the columns of calls, runs and holds keep (16 digits, 8 of them after the point).

Whole dollars: SQLite keeps 15 digits, rounds 99999999.99999999 up, and cannot read that back.
"""


def to_units(amount: Decimal, rounding: str = ROUND_HALF_EVEN) -> int:
    """USD as a whole number of units."""
    return int((amount * UNITS).to_integral_value(rounding))


def to_usd(units: int) -> Decimal:
    return units * UNIT_USD


class BudgetPeriod(models.TextChoices):
    DAY = "day", "Day"
    MONTH = "month", "Month"

    def start(self, moment: datetime) -> date:
        """The first day of the period that holds this moment, UTC."""
        day = moment.astimezone(UTC).date()
        return day if self is BudgetPeriod.DAY else day.replace(day=1)

    def end(self, start: date) -> date:
        """The first day of the period after the one that begins so."""
        return start + timedelta(days=1) if self is BudgetPeriod.DAY else (start + timedelta(days=31)).replace(day=1)


class AtLimit(models.TextChoices):
    """What a budget promises near its end. No paid call begins that it could not pay, whichever is chosen.

    ``REFUSE``: a question starts only if the budget pays for it even when it turns out dear, so that it is not broken off.
    ``PARTIAL``: it starts if the budget pays what is expected, and ends with what is there if that was not enough.
    """

    REFUSE = "refuse", "Refuse questions that may not fit"
    PARTIAL = "partial", "Finish with what is there"


class BudgetQuerySet(models.QuerySet["Budget"]):
    def binding(self, *, user_id: int, council_id: int | None, api_key_id: int | None) -> "BudgetQuerySet":
        """All that hold for a run of this user on this council, started with this key."""
        scopes = Q(user_id=user_id) | Q(user=None, council=None, api_key=None)
        if council_id is not None:
            scopes |= Q(council_id=council_id)
        if api_key_id is not None:
            scopes |= Q(api_key_id=api_key_id)
        return self.filter(scopes, is_active=True)


class Budget(models.Model):
    """A limit in USD per day or month, for one user, one API key, one council, or everybody (none given)."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="budgets")
    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, null=True, blank=True, related_name="budgets", verbose_name="API key")
    council = models.ForeignKey(CouncilConfiguration, on_delete=models.CASCADE, null=True, blank=True, related_name="budgets")
    period = models.CharField(max_length=10, choices=BudgetPeriod.choices, default=BudgetPeriod.MONTH)
    limit_usd = models.DecimalField("limit (USD)", max_digits=14, decimal_places=4, validators=[MinValueValidator(Decimal(0))])
    at_limit = models.CharField(max_length=10, choices=AtLimit.choices, default=AtLimit.REFUSE)
    is_active = models.BooleanField(default=True)

    objects = BudgetQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user=None, council=None) | Q(user=None, api_key=None) | Q(council=None, api_key=None), name="budget_one_scope"
            ),
            models.CheckConstraint(condition=Q(limit_usd__gte=0), name="budget_not_negative"),
            # NULLs count as different in a unique key, so each scope has its own.
            models.UniqueConstraint(fields=["user", "period"], condition=Q(user__isnull=False), name="budget_unique_user"),
            models.UniqueConstraint(fields=["api_key", "period"], condition=Q(api_key__isnull=False), name="budget_unique_api_key"),
            models.UniqueConstraint(fields=["council", "period"], condition=Q(council__isnull=False), name="budget_unique_council"),
            models.UniqueConstraint(fields=["period"], condition=Q(user=None, council=None, api_key=None), name="budget_unique_global"),
        ]

    def __str__(self) -> str:
        return f"{self.limit_usd} USD per {self.period} for {self.scope}"

    def clean(self) -> None:
        """Raises ``ValidationError`` where a stored budget is to be for somebody else, or another period: its sums would not be theirs."""
        super().clean()
        stored = Budget.objects.filter(pk=self.pk).values_list("user", "api_key", "council", "period").first()
        if stored is not None and stored != (self.user_id, self.api_key_id, self.council_id, self.period):
            raise ValidationError(
                "What a budget has spent belongs to its period and to whom it is for. Make a new one, and switch this off."
            )

    @property
    def scope(self) -> str:
        """Whom it is for, in words."""
        return str(self.user or self.api_key or self.council or "everybody")

    @property
    def runs(self) -> Q:
        """Whose runs count in it."""
        scopes = {"owner_id": self.user_id, "api_key_id": self.api_key_id, "council_id": self.council_id}
        return Q(**{name: pk for name, pk in scopes.items() if pk is not None})

    @property
    def scope_kind(self) -> str:
        """What it is for, to programs."""
        scopes = {"user": self.user_id, "api_key": self.api_key_id, "council": self.council_id}
        return next((kind for kind, pk in scopes.items() if pk is not None), "everybody")


class BudgetAccount(models.Model):
    """What one budget has paid in one period, and what it holds back for runs under way. Only ``councils.store.budgets`` writes it.

    ``opening`` is the part of ``spent`` that was there before: what questions of this period had cost when the account was opened.
    """

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="accounts")
    period_start = models.DateField()
    spent = models.BigIntegerField(default=0, help_text="In units of 0.00000001 USD.")
    reserved = models.BigIntegerField(default=0, help_text="In units of 0.00000001 USD.")
    opening = models.BigIntegerField(default=0, db_default=0, help_text="In units of 0.00000001 USD.")

    class Meta:
        ordering = ["-period_start", "budget"]
        constraints = [models.UniqueConstraint(fields=["budget", "period_start"], name="budget_account_unique")]

    def __str__(self) -> str:
        return f"{self.budget}, from {self.period_start}"

    @property
    def spent_usd(self) -> Decimal:
        return to_usd(self.spent)

    @property
    def reserved_usd(self) -> Decimal:
        return to_usd(self.reserved)

    @property
    def opening_usd(self) -> Decimal:
        return to_usd(self.opening)


class BudgetHold(models.Model):
    """That a run counts against an account. ``set_aside_usd`` was reserved for the whole run when it was asked."""

    run = models.ForeignKey(CouncilRun, on_delete=models.CASCADE, related_name="holds")
    account = models.ForeignKey(BudgetAccount, on_delete=models.CASCADE, related_name="holds")
    set_aside_usd = models.DecimalField(max_digits=16, decimal_places=8)

    class Meta:
        ordering = ["account"]
        constraints = [models.UniqueConstraint(fields=["run", "account"], name="budget_hold_unique")]

    def __str__(self) -> str:
        return f"{self.run} on {self.account}"
