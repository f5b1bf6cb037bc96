"""The admin's first page: is everything working, what does it cost, is the council any good, what needs me?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from analytics import addresses
from analytics.insights import standings
from analytics.provider_health import provider_lines
from analytics.queries import Board, Span, board
from analytics.trends import trends
from councils.engine.types import RunStatus
from councils.formatting import ago, counted, duration, number, percent, usd
from councils.models import BudgetAccount, BudgetPeriod, CouncilRun, Provider
from councils.services.attention import calls_needing_attention, providers_needing_attention, runs_needing_attention
from councils.services.budgeting import Standing

PROVIDERS = "admin:councils_provider_changelist"
BUDGETS = "admin:councils_budget_changelist"
NEW_BUDGET = "admin:councils_budget_add"
ATTENTION = {"attention": "needed"}
SHOWN_RUNS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One figure: what it is, its value, a line that explains it, and the list behind it.

    ``used`` is the part of a limit that is used up, in whole percent, where there is a limit; ``more`` is one more place to go, by words
    and address.
    """

    title: str
    value: str
    note: str
    address: str
    is_alarm: bool = False
    used: int | None = None
    more: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One run that somebody should look at."""

    council: str
    status: str
    reason: str
    who: str
    when: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRights:
    """What the reader may do with budgets."""

    sees: bool = True
    sets: bool = True

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        return cls(sees=request.user.has_perm("councils.view_budget"), sets=request.user.has_perm("councils.add_budget"))


EVERY_RIGHT = BudgetRights()


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the figures to the context of the admin's first page, for those who may see the lists behind them."""
    if request.user.has_perms(("councils.view_councilrun", "councils.view_modelcall")):
        now = timezone.now()
        found, troubled = board(now), runs_needing_attention(now)
        needing, unbooked_calls = troubled.count(), calls_needing_attention().count()
        context["tiles"] = [attention(needing), *tiles(found, budgets=BudgetRights.of(request))]
        context["tiles"] += unbooked(unbooked_calls)
        context["board"] = found
        context["charts"] = trends(found) if settings.ENABLE_ANALYTICS else []
        context["troubles"], context["all_troubles"] = troubles(troubled) if needing else [], addresses.runs(**ATTENTION)
    if settings.ENABLE_ANALYTICS and request.user.has_perm("analytics.view_modelanalytics"):
        context["standings"] = standings(timezone.now(), days=7)
    if request.user.has_perm("councils.view_provider"):
        context["tiles"] = [*context.get("tiles", []), *refusals(providers_needing_attention())]
        context["providers"] = provider_lines()
    return context


def tiles(found: Board, *, budgets: BudgetRights = EVERY_RIGHT) -> list[Tile]:
    """The figures of today and this month in words."""
    day = found.now.date()
    today, in_month = addresses.since(day), addresses.since(day.replace(day=1))
    return [
        Tile(
            title="Runs today",
            value=number(found.today.statuses.total() + found.live),
            note=_success(found.today, found.live),
            address=addresses.runs(**today),
        ),
        _spent("Spent today", found.today, found.budgets.get(BudgetPeriod.DAY), addresses.calls(**today), budgets),
        _spent(
            "Spent this month",
            found.month,
            found.budgets.get(BudgetPeriod.MONTH),
            addresses.calls(**in_month),
            budgets,
            missing=found.missing,
        ),
        _time(found.today, day),
        _agreement(found.today, day),
        _cache(found.today, day),
    ]


def attention(runs: int) -> Tile:
    return Tile(
        title="Need attention",
        value=number(runs),
        note="failed or partial in a day, overdue, or of unknown cost" if runs else "nothing failed, nothing overdue",
        address=addresses.runs(**ATTENTION),
        is_alarm=runs > 0,
    )


def unbooked(calls: int) -> list[Tile]:
    """Calls of unknown cost that somebody has to book; no tile without any."""
    if not calls:
        return []
    note = "their owner died: budgets hold what they may have cost until you book them"
    return [Tile(title="Calls to book", value=number(calls), note=note, address=addresses.calls(cost="unknown"), is_alarm=True)]


def refusals(providers: Iterable[Provider]) -> list[Tile]:
    """Providers that do not take our key any more; no tile where all do."""
    names = [provider.name for provider in providers]
    if not names:
        return []
    note = f"{', '.join(names)}: enter another key, then test the connection"
    return [Tile(title="Refused keys", value=number(len(names)), note=note, address=reverse(PROVIDERS), is_alarm=True)]


def troubles(runs: QuerySet[CouncilRun]) -> list[Trouble]:
    """The newest runs that need somebody, one query."""
    columns = ("pk", "council_name", "status", "reason", "owner__username", "created_at")
    newest = runs.order_by("-created_at", "-pk").values_list(*columns)[:SHOWN_RUNS]
    return [
        Trouble(
            council=council,
            status=status,
            # A run that is listed although all went well has a call that somebody has to book.
            reason="a call of unknown cost" if status == RunStatus.SUCCEEDED.value else reason,
            who=who,
            when=ago(created_at),
            address=reverse("admin:councils_councilrun_change", args=[pk]),
        )
        for pk, council, status, reason, who, created_at in newest
    ]


def _success(day: Span, live: int) -> str:
    rate = "none has ended" if day.success_rate is None else f"{percent(day.success_rate)} of {number(day.ended)} succeeded"
    return f"{rate}, {number(live)} at work" if live else rate


def _spent(
    title: str, span: Span, budget: Standing | None, address: str, budgets: BudgetRights, *, missing: tuple[date, date] | None = None
) -> Tile:
    """What was spent, by the budget for everybody where it has counted: sums may be ``missing`` days.

    Whoever may not see budgets learns nothing of the limit: neither the sum, nor how much of it is used.
    """
    has_counted = budgets.sees and budget is not None and budget.has_counted
    budget = _counted(budget, span) if budgets.sees else None
    return Tile(
        title=title,
        value=usd(span.spend_usd if budget is None else budget.account.spent_usd),
        note=", ".join(_notes_on_spending(span, budget, missing=missing, is_counted=has_counted)),
        address=address,
        is_alarm=budget is not None and not budget.left,
        used=None if budget is None else budget.used_share,
        more=_to_budgets(has_limit=budget is not None, budgets=budgets),
    )


def _notes_on_spending(span: Span, budget: Standing | None, *, missing: tuple[date, date] | None, is_counted: bool) -> Iterator[str]:
    if budget is not None:
        yield f"of {usd(budget.limit)} for everybody"
        if budget.account.reserved:
            yield f"{usd(budget.account.reserved_usd)} reserved"
    if missing is not None and not is_counted:
        yield f"at least: {missing[0]:%Y-%m-%d} to {missing[1]:%Y-%m-%d} are not summed up"
    if span.unknown_costs:
        yield f"and {number(span.unknown_costs)} calls of unknown cost"
    elif missing is None:
        yield "every cost is known"


def _counted(budget: Standing | None, span: Span) -> Standing | None:
    """A budget that nobody has asked under yet in its period stands where the sums are."""
    if budget is None or budget.has_counted:
        return budget
    account = BudgetAccount(budget=budget.budget, period_start=budget.account.period_start, spent=span.cost_units)
    return Standing(budget=budget.budget, account=account)


def _to_budgets(*, has_limit: bool, budgets: BudgetRights) -> tuple[str, str] | None:
    """A way to the budgets for everybody, or to make one; none that the reader may not go."""
    if has_limit:
        return "Budgets", reverse(BUDGETS)
    return ("No budget for everybody: set one", reverse(NEW_BUDGET)) if budgets.sees and budgets.sets else None


def _time(today: Span, day: date) -> Tile:
    median, slow = today.times.percentile(0.5), today.times.percentile(0.95)
    is_known = median is not None and slow is not None
    note = f"half of today's runs within this, 95 % within {duration(slow)}" if is_known else "from start to answer; no run has ended today"
    return Tile(
        title="Time to answer", value=duration(median) if is_known else "–", note=note, address=addresses.runs(**addresses.since(day))
    )


def _agreement(today: Span, day: date) -> Tile:
    is_known = today.agreement is not None
    note = (
        f"between reviewers, from 0 to 1, in {counted(today.consensus_count, 'run')} today" if is_known else "no reviewers have voted today"
    )
    address = addresses.runs(**addresses.since(day), consensus_score__isnull="False")
    return Tile(title="Agreement", value=f"{today.agreement:.2f}" if is_known else "–", note=note, address=address)


def _cache(today: Span, day: date) -> Tile:
    rate, asked = today.hit_rate, today.requests + today.cache_hits
    note = f"{number(today.cache_hits)} of {number(asked)} calls today cost nothing" if asked else "no call today"
    address = addresses.calls(**addresses.since(day), cached__exact=1)
    return Tile(title="From the cache", value="–" if rate is None else percent(rate), note=note, address=address)
