"""Budgets to set, and where they stand."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import OuterRef, Prefetch, QuerySet, Subquery, Sum
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from councils.admin.base import ProductAdmin, display, register
from councils.admin.pages import page
from councils.admin.show import NOTHING
from councils.formatting import exact_usd
from councils.models import Budget, BudgetAccount, BudgetHold, BudgetPeriod, ModelCall
from councils.services.budgeting import Standing, open_budget
from councils.services.fitting import too_small_for

LEDGER_OF = "call__run__holds__account"
USED_UP_PERCENT = 100
NEARLY_PERCENT = 80
SHOWN_PERIODS = 60
SCOPES = ("user", "api_key", "council")
NEW = "Choose a user, an API key or a council. None of them: the budget is for everybody."
STORED = "Whom a budget is for and its period stay as they are. For another, make a new budget and switch this one off."
HELP = {
    "limit_usd": "What the questions of one period may cost. 0 stops all paid calls.",
    "period": "Days and months are UTC. A question counts in the one in which it was asked, and a new budget takes over what was spent.",
    "at_limit": "Refuse: a question starts only if even a dear one fits. Finish: it starts if an expected one fits, and may end early.",
}


def ledger_link(account: BudgetAccount | None, text: str) -> SafeString | str:
    """The bookings that make up what an account has spent."""
    if account is None:
        return text
    address = f"{reverse('admin:councils_ledgerentry_changelist')}?{LEDGER_OF}={account.pk}"
    return format_html('<a href="{}" class="text-primary-600 dark:text-primary-500">{}</a>', address, text)


def with_unknown(accounts: QuerySet[BudgetAccount]) -> QuerySet[BudgetAccount]:
    """Accounts with how many calls of their runs have a cost that is not known. Reads those few calls, not every run of an account."""
    runs = ModelCall.objects.filter(cost_usd=None).order_by().values("run")
    holds = BudgetHold.objects.filter(account=OuterRef("pk"), run__in=runs).order_by().values("account")
    return accounts.annotate(unknown=Subquery(holds.annotate(calls=Sum("run__unknown_costs")).values("calls")))


def unknown_calls(account: Any) -> str:
    """Those whose cost is unknown stay reserved."""
    return str(account.unknown) if account is not None and account.unknown else "none"


def lines_of(accounts: Iterable[BudgetAccount]) -> list[dict[str, str]]:
    """Periods as their table tells them."""
    return [
        {
            "from": f"{account.period_start:%Y-%m-%d}",
            "spent": ledger_link(account, exact_usd(account.spent_usd)),
            "before": exact_usd(account.opening_usd),
            "reserved": exact_usd(account.reserved_usd),
            "unknown": unknown_calls(account),
        }
        for account in accounts
    ]


def all_periods(admin: ModelAdmin[Budget], request: HttpRequest, pk: int) -> HttpResponse:
    """Every period that the budget has seen, newest first."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    budget = get_object_or_404(Budget, pk=pk)
    found = Paginator(with_unknown(budget.accounts.order_by("-period_start")), SHOWN_PERIODS).get_page(request.GET.get("p"))
    return page(admin, request, "budget/periods.html", f"Periods of {budget}", budget=budget, found=found, lines=lines_of(found))


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

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        return [path("<int:pk>/periods/", guarded(partial(all_periods, self)), name="councils_budget_periods"), *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: Budget | None = None) -> Any:
        """First where it stands, once there is something to tell."""
        limits = {"fields": (*SCOPES, ("limit_usd", "period"), "at_limit", "is_active"), "description": STORED if obj else NEW}
        periods = ("Periods", {"fields": ("periods",)})
        return [("Now", {"fields": ("standing",)}), (None, limits), periods] if obj else [(None, limits)]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name in HELP:
            field.help_text = HELP[db_field.name]
        return field

    def get_readonly_fields(self, request: HttpRequest, obj: Budget | None = None) -> list[str]:
        """Whom a stored budget is for, and its period, stay as they are."""
        fixed = (*SCOPES, "period", "standing", "periods") if obj is not None else ()
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
        if advice := too_small_for(obj):
            self.message_user(request, advice, messages.WARNING)

    def _present(self, budget: Any) -> BudgetAccount | None:
        """The account of the present period; none before its first question."""
        start = BudgetPeriod(budget.period).start(timezone.now())
        return next((account for account in budget.recent if account.period_start == start), None)

    def _standing(self, budget: Budget) -> Standing:
        start = BudgetPeriod(budget.period).start(timezone.now())
        return Standing(budget=budget, account=self._present(budget) or BudgetAccount(budget=budget, period_start=start))

    @display(description="for")
    def scope(self, budget: Budget) -> str:
        return budget.scope

    @display(description="limit", ordering="limit_usd")
    def limit(self, budget: Budget) -> str:
        return exact_usd(budget.limit_usd)

    @display(description="this period")
    def standing(self, budget: Budget) -> SafeString:
        """What is left of how much, until when."""
        now = self._standing(budget)
        last = now.renews_at.date() - timedelta(days=1)
        spent, held = exact_usd(now.account.spent_usd), exact_usd(now.account.reserved_usd)
        figures = (self.used(budget), exact_usd(now.left), exact_usd(now.limit), budget.period, spent, held, f"{last:%Y-%m-%d}")
        words = "{} · <strong>{} left of {}</strong> this {}: {} spent, {} reserved for questions under way. It ends with {}, UTC."
        return format_html(words, *figures)

    @display(description="used")
    def used(self, budget: Budget) -> SafeString:
        """What is spent or reserved of the limit, as a bar and in words."""
        share = self._standing(budget).used_share
        bar = '<svg class="used-bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{}{}</svg> {} %{}'
        track = mark_safe('<rect class="used-track" width="100" height="10"/>')
        level = "used-all" if share >= USED_UP_PERCENT else "used-much" if share >= NEARLY_PERCENT else "used-part"
        part = format_html('<rect class="{}" width="{}" height="10"/>', level, min(share, USED_UP_PERCENT))
        said = ", used up" if share >= USED_UP_PERCENT else ", nearly used up" if share >= NEARLY_PERCENT else ""
        return format_html(bar, track, part, share, said)

    @display(description="the newest")
    def periods(self, budget: Budget) -> str:
        accounts = with_unknown(budget.accounts.order_by("-period_start"))[: SHOWN_PERIODS + 1]
        lines = lines_of(accounts)
        context = {"budget": budget, "lines": lines[:SHOWN_PERIODS], "has_more": len(lines) > SHOWN_PERIODS}
        return render_to_string("admin/councils/budget/_periods.html", context)

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
        account = self._standing(budget).account
        return exact_usd(budget.limit_usd - account.spent_usd - account.reserved_usd)

    @display(description="unknown costs")
    def unknown(self, budget: Budget) -> str:
        return unknown_calls(self._present(budget))
