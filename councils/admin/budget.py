"""Budgets to set, and where they stand."""

from decimal import Decimal
from typing import Any

from django.db.models import Prefetch, QuerySet, Sum
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from councils.admin.base import ProductAdmin, ReadOnlyInline, display, register
from councils.admin.show import NOTHING
from councils.formatting import exact_usd
from councils.models import Budget, BudgetAccount, BudgetPeriod
from councils.services.budgeting import open_budget

LEDGER_OF = "call__run__holds__account"
NEARLY_PERCENT = 80
SCOPES = ("user", "api_key", "council")
EXPLANATION = (
    "Choose one user, one API key or one council. With all three empty the budget is for everybody: every question of the site counts "
    "in it. A question counts in the day and the month (UTC) in which it was asked. All budgets that apply must hold. No paid call "
    "begins that a budget could not pay. “Refuse questions that may not fit”: a question starts only if what is left pays for it even "
    "when it turns out dear, so that it is not broken off. “Finish with what is there”: it starts if what is left pays what is "
    "expected; if that was not enough, the answer is made from what there is by then. A new budget begins with what its questions of "
    "the same day or month have cost so far; calls that are under way at that moment do not count in it. Whom a budget is for and its "
    "period cannot be changed later, since what it has spent belongs to them: make a new one, and switch the old one off."
)


def ledger_link(account: BudgetAccount | None, text: str) -> SafeString | str:
    """The bookings that make up what an account has spent."""
    if account is None:
        return text
    address = f"{reverse('admin:councils_ledgerentry_changelist')}?{LEDGER_OF}={account.pk}"
    return format_html('<a href="{}" class="text-primary-600 dark:text-primary-500">{}</a>', address, text)


def with_unknown(accounts: QuerySet[BudgetAccount]) -> QuerySet[BudgetAccount]:
    """Accounts with how many calls of their runs have a cost that is not known."""
    return accounts.annotate(unknown=Sum("holds__run__unknown_costs"))


def unknown_calls(account: Any) -> str:
    """Those whose cost is unknown stay reserved."""
    return str(account.unknown) if account is not None and account.unknown else "none"


class AccountInline(ReadOnlyInline[BudgetAccount, Budget]):
    model = BudgetAccount
    verbose_name_plural = "periods"
    fields = ("period_start", "spent_so_far", "before", "held", "unknown_costs")
    readonly_fields = fields
    hide_title = True
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[BudgetAccount]:
        return with_unknown(super().get_queryset(request))

    @display(description="spent")
    def spent_so_far(self, account: BudgetAccount) -> SafeString | str:
        return ledger_link(account, exact_usd(account.spent_usd))

    @display(description="of this before the budget was made")
    def before(self, account: BudgetAccount) -> str:
        return exact_usd(account.opening_usd)

    @display(description="reserved")
    def held(self, account: BudgetAccount) -> str:
        return exact_usd(account.reserved_usd)

    @display(description="calls of unknown cost")
    def unknown_costs(self, account: BudgetAccount) -> str:
        return unknown_calls(account)


class BudgetForm(ModelForm[Budget]):
    """Says in words what the database's constraints demand."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        scopes = {name: cleaned.get(name) for name in SCOPES}
        given = [name for name, value in scopes.items() if value]
        if len(given) > 1:
            self.add_error(given[-1], "Choose a user, an API key or a council, only one of them. Choose none for a limit on everybody.")
        elif Budget.objects.filter(**scopes, period=cleaned.get("period")).exclude(pk=self.instance.pk).exists():
            self.add_error("period", "There is a budget for this already. Change that one.")
        return cleaned


@register(Budget)
class BudgetAdmin(ProductAdmin[Budget]):
    form = BudgetForm
    list_display = ("scope", "period", "limit", "used", "spent", "reserved", "left", "unknown", "at_limit", "is_active")
    list_filter = ("period", "at_limit", "is_active")
    list_select_related = SCOPES
    search_fields = ("user__username", "council__name", "api_key__name")
    autocomplete_fields = SCOPES
    inlines = (AccountInline,)
    fieldsets = ((None, {"fields": (*SCOPES, ("limit_usd", "period"), "at_limit", "is_active"), "description": EXPLANATION}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Budget | None = None) -> list[str]:
        """Whom a stored budget is for, and its period, stay as they are."""
        fixed = (*SCOPES, "period") if obj is not None else ()
        return [*super().get_readonly_fields(request, obj), *fixed]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Budget]:
        now = timezone.now()
        starts = {period.start(now) for period in BudgetPeriod}
        recent = with_unknown(BudgetAccount.objects.filter(period_start__in=starts))
        return super().get_queryset(request).prefetch_related(Prefetch("accounts", recent, to_attr="recent"))

    def save_model(self, request: HttpRequest, obj: Budget, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change and (spent := open_budget(obj)):
            self.message_user(request, f"It begins with {exact_usd(spent)}, which its questions of this {obj.period} have cost so far.")

    def _present(self, budget: Any) -> BudgetAccount | None:
        """The account of the present period; none before its first question."""
        start = BudgetPeriod(budget.period).start(timezone.now())
        return next((account for account in budget.recent if account.period_start == start), None)

    @display(description="for")
    def scope(self, budget: Budget) -> str:
        return budget.scope

    @display(description="limit", ordering="limit_usd")
    def limit(self, budget: Budget) -> str:
        return exact_usd(budget.limit_usd)

    @display(description="used")
    def used(self, budget: Budget) -> SafeString:
        """What is spent or reserved of the limit, as a bar and in words."""
        account = self._present(budget)
        taken = account.spent_usd + account.reserved_usd if account else Decimal(0)
        share = round(100 * taken / budget.limit_usd) if budget.limit_usd else 100
        bar = '<svg class="used-bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{}{}</svg> {} %{}'
        track = mark_safe('<rect class="used-track" width="100" height="10"/>')
        level = "used-all" if share >= 100 else "used-much" if share >= NEARLY_PERCENT else "used-part"
        part = format_html('<rect class="{}" width="{}" height="10"/>', level, min(share, 100))
        said = ", used up" if share >= 100 else ", nearly used up" if share >= NEARLY_PERCENT else ""
        return format_html(bar, track, part, share, said)

    @display(description="spent")
    def spent(self, budget: Budget) -> SafeString | str:
        account = self._present(budget)
        return ledger_link(account, exact_usd(account.spent_usd)) if account else NOTHING

    @display(description="reserved")
    def reserved(self, budget: Budget) -> str:
        account = self._present(budget)
        return exact_usd(account.reserved_usd) if account else NOTHING

    @display(description="left")
    def left(self, budget: Budget) -> str:
        account = self._present(budget)
        used = account.spent_usd + account.reserved_usd if account else 0
        return exact_usd(budget.limit_usd - used)

    @display(description="unknown costs")
    def unknown(self, budget: Budget) -> str:
        return unknown_calls(self._present(budget))
