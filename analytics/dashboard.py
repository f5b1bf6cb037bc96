"""The figures on the admin's first page."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from analytics.queries import DayFigures, day_figures

RUNS = "admin:councils_councilrun_changelist"
CALLS = "admin:councils_modelcall_changelist"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One figure: what it is, its value, a line that explains it, and the list behind it."""

    title: str
    value: str
    note: str
    address: str
    is_alarm: bool = False


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the tiles to the context of the admin's first page, for those who may see the lists behind them."""
    if request.user.has_perms(("councils.view_councilrun", "councils.view_modelcall")):
        context["tiles"] = tiles(day_figures(timezone.localtime()))
    return context


def tiles(day: DayFigures) -> list[Tile]:
    """The figures of a day in words."""
    # With its time zone, as the list's own date filter writes it.
    today = {"created_at__gte": str(day.since)}
    runs, calls = f"{reverse(RUNS)}?{urlencode(today)}", f"{reverse(CALLS)}?{urlencode(today)}"
    unknown = f"and {day.unknown_costs} calls of unknown cost" if day.unknown_costs else "every cost is known"
    return [
        Tile(title="Runs today", value=f"{day.runs:,}", note=_success(day), address=runs),
        Tile(title="Spent today", value=f"{day.spend_usd:,.{4 if 0 < day.spend_usd < 1 else 2}f} USD", note=unknown, address=calls),
        Tile(
            title="Tokens today",
            value=f"{day.prompt_tokens + day.completion_tokens:,}",
            note=f"{day.prompt_tokens:,} read, {day.completion_tokens:,} written",
            address=calls,
        ),
        Tile(title="Median time", value=_time(day.median_ms), note="from start to answer, today", address=runs),
        Tile(
            title="Need attention",
            value=f"{day.needing_attention:,}",
            note="failed or partial in a day, or overdue" if day.needing_attention else "nothing failed, nothing overdue",
            address=f"{reverse(RUNS)}?{urlencode({'attention': 'needed'})}",
            is_alarm=day.needing_attention > 0,
        ),
    ]


def _success(day: DayFigures) -> str:
    rate = "none has ended" if day.success_rate is None else f"{day.success_rate:.0%} of {day.ended:,} succeeded"
    return f"{rate}, {day.live:,} at work" if day.live else rate


def _time(milliseconds: int | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds / 1000:.1f} s"
