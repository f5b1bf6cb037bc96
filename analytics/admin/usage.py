"""The page of reports: who used what, and what it cost."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, timedelta
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.http import urlencode

from analytics import addresses
from analytics.days import DAY
from analytics.usage_lines import Line
from analytics.usage_report import Report, report
from analytics.usage_words import Asked, By
from councils.admin.csv_export import csv_table
from councils.admin.show import NOTHING, duration, list_address
from councils.formatting import percent
from councils.models import CouncilConfiguration, CouncilRun, ModelInfo

MOST_LINES = 100
MOST_OFFERED = 200
"""So many names are offered for a field that takes any words."""
LONGEST_WORD = 200
TITLES = {By.USER: "User", By.COUNCIL: "Council", By.SEAT: "Seat", By.MODEL: "Model", By.KEY: "API key", By.DAY: "Day"}
WORDS = ("user", "council", "seat", "model")
TOLD_BY_LINE = {By.USER: {"user"}, By.COUNCIL: {"council"}, By.SEAT: {"council", "seat"}, By.MODEL: {"model"}, By.KEY: {"user"}}
"""Words that choose nothing more once one line is looked at."""
HEADINGS = (
    *("requests", "failed", "cancelled", "from the cache", "tokens read", "tokens written", "calls of unknown cost"),
    *("average time (ms)", "longest time (ms)", "known cost (USD)"),
)


def usage_page(admin: ModelAdmin[Any], request: HttpRequest) -> HttpResponseBase:
    """A report as a page, or as CSV with all its lines."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    found = report(asked_by(request.GET))
    if request.GET.get("format") == "csv":
        name = f"usage by {found.asked.by.value} {found.asked.first} to {found.asked.last}"
        return csv_table(request, (TITLES[found.asked.by].lower(), *HEADINGS), _rows(found.lines), name=name)
    most = max((line.requests for line in found.lines), default=0)
    context = {
        **admin.admin_site.each_context(request),
        "title": "Usage",
        "found": found,
        "lines": [_shown(found, line, most) for line in found.lines[:MOST_LINES]],
        "total": _shown(found, found.total, most),
        "hidden": max(len(found.lines) - MOST_LINES, 0),
        **_form(found.asked),
    }
    return TemplateResponse(request, "analytics/usage.html", context)


def asked_by(sent: Mapping[str, str]) -> Asked:
    """What an address asks for; what cannot be understood is taken for not asked."""
    by = By(sent["by"]) if sent.get("by") in set(By) else By.USER
    words = {name: sent.get(name, "").replace("\x00", "").strip()[:LONGEST_WORD] for name in WORDS}
    return Asked.of(by, _day(sent.get("from", "")), _day(sent.get("to", "")), **words)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _form(asked: Asked) -> dict[str, Any]:
    words = {name: getattr(asked, name) for name in WORDS}
    given = {"by": asked.by.value, **{name: word for name, word in words.items() if word}}
    shown = {**given, "from": asked.first, "to": asked.last}
    return {
        "choices": [(by.value, title) for by, title in TITLES.items()],
        "title_of": TITLES[asked.by],
        "councils": CouncilConfiguration.objects.order_by("name").values_list("name", flat=True)[:MOST_OFFERED],
        "models": ModelInfo.objects.order_by("name").values_list("name", flat=True).distinct()[:MOST_OFFERED],
        "spans": [(title, f"?{urlencode({**given, 'from': first, 'to': last})}") for title, first, last in _spans()],
        "csv": f"?{urlencode({**shown, 'format': 'csv'})}",
    }


def _spans() -> Sequence[tuple[str, date, date]]:
    today = timezone.now().astimezone(UTC).date()
    month = today.replace(day=1)
    before = month - DAY
    return [
        ("Today", today, today),
        ("7 days", today - 6 * DAY, today),
        ("30 days", today - 29 * DAY, today),
        ("This month", month, today),
        ("Last month", before.replace(day=1), before),
        ("This year", today.replace(month=1, day=1), today),
        ("365 days", today - timedelta(days=364), today),
    ]


def _shown(found: Report, line: Line, most: int) -> dict[str, Any]:
    """A line in words. ``part`` is its length beside the busiest line, in percent."""
    rate = line.success_rate
    return {
        "line": line,
        "part": round(100 * line.requests / most) if most else 0,
        "address": list_behind(found.asked, line),
        "success": NOTHING if rate is None else percent(rate),
        "took": duration(line.latency_ms),
        "longest": duration(line.latency_most_ms),
    }


def list_behind(asked: Asked, line: Line) -> str:
    """The list of what makes up a line; empty where there is none, and where it would hold more than the line counts."""
    if any(getattr(asked, word) for word in set(WORDS) - TOLD_BY_LINE.get(asked.by, set())):
        return ""
    days = addresses.since(asked.first) | {"created_at__lt": addresses.on(asked.last)["created_at__lt"]}
    match asked.by, line.key:
        case _, ():
            return ""
        case By.DAY, (day,):
            return addresses.calls(**addresses.on(day))
        case By.MODEL, (provider, model):
            return addresses.calls(**days, model_name__exact=model, provider_name__exact=provider)
    owner = {By.USER: "owner__id__exact", By.KEY: "api_key__id__exact"}.get(asked.by, "council__id__exact")
    return list_address(CouncilRun, **days, **{owner: line.pk}) if line.pk is not None else ""


def _rows(lines: Sequence[Line]) -> Iterator[Sequence[object]]:
    for line in lines:
        sums = (line.requests, line.errors, line.cancelled, line.cache_hits, line.prompt_tokens, line.completion_tokens)
        yield (line.name, *sums, line.unknown_costs, line.latency_ms, line.latency_most_ms, line.cost_usd)
