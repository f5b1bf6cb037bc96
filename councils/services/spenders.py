"""Who has spent what in a period: sums of runs by user, council or API key, and of calls by model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.utils import timezone

from councils.models import CouncilRun, ModelCall

LONGEST_DAYS = 92
MOST_LINES = 50


class By(StrEnum):
    USER = "user"
    COUNCIL = "council"
    KEY = "key"
    MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Whole days, UTC, the last one included."""

    first: date
    last: date

    @classmethod
    def of(cls, first: date | None, last: date | None) -> "Period":
        """At most ``LONGEST_DAYS`` that end with ``last``, by default today; the last 30 days without a ``first``."""
        today = timezone.now().date()
        end = min(last or today, today)
        start = first or end - timedelta(days=29)
        return cls(first=max(min(start, end), end - timedelta(days=LONGEST_DAYS - 1)), last=end)

    @property
    def start(self) -> datetime:
        return datetime.combine(self.first, time(), tzinfo=timezone.get_default_timezone())

    @property
    def end(self) -> datetime:
        return datetime.combine(self.last + timedelta(days=1), time(), tzinfo=timezone.get_default_timezone())


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one of them has spent. ``count`` is of runs, or of calls for models; calls of unknown cost are not in the sum."""

    pk: int | None
    name: str
    count: int
    tokens: int
    known_cost_usd: Decimal
    unknown_costs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """The dearest first, at most ``MOST_LINES``; ``total_usd`` is the sum of all."""

    lines: Sequence[Line]
    total_usd: Decimal
    has_more: bool

    def share(self, line: Line) -> int:
        """In percent of all that was spent."""
        return round(100 * line.known_cost_usd / self.total_usd) if self.total_usd else 0


_NAMES: Mapping[By, tuple[str, str]] = {
    By.USER: ("owner", "owner__username"),
    By.COUNCIL: ("council", "council_name"),
    By.KEY: ("api_key", "api_key__name"),
    By.MODEL: ("model", "model_name"),
}


def spending(by: By, period: Period) -> Spending:
    """One query for the lines and one for the sum."""
    rows = _calls(period) if by is By.MODEL else _runs(by, period)
    pk, name = _NAMES[by]
    grouped: Any = rows.values(key=F(pk), title=F(name)).annotate(**_sums(by))
    found = list(grouped.order_by("-known", "title", "key")[: MOST_LINES + 1])
    total = rows.aggregate(known=Sum("cost_usd" if by is By.MODEL else "known_cost_usd"))["known"] or Decimal(0)
    return Spending(lines=[_line(row) for row in found[:MOST_LINES]], total_usd=total, has_more=len(found) > MOST_LINES)


def _runs(by: By, period: Period) -> QuerySet[CouncilRun]:
    runs = CouncilRun.objects.filter(created_at__gte=period.start, created_at__lt=period.end)
    return runs.exclude(api_key=None) if by is By.KEY else runs


def _calls(period: Period) -> QuerySet[ModelCall]:
    return ModelCall.objects.filter(created_at__gte=period.start, created_at__lt=period.end)


def _sums(by: By) -> dict[str, Sum | Count]:
    if by is By.MODEL:
        unknown = Count("pk", filter=Q(cost_usd=None) & ~Q(status="sending"))
        return {"n": Count("pk"), "known": Sum("cost_usd", default=Decimal(0)), "unknown": unknown, **_TOKENS}
    return {"n": Count("pk"), "known": Sum("known_cost_usd", default=Decimal(0)), "unknown": Sum("unknown_costs"), **_TOKENS}


_TOKENS: Mapping[str, Sum] = {"read": Sum("prompt_tokens", default=0), "written": Sum("completion_tokens", default=0)}


def _line(row: Mapping[str, object]) -> Line:
    known = row["known"]
    return Line(
        pk=row["key"] if isinstance(row["key"], int) else None,
        name=str(row["title"] or ""),
        count=int(str(row["n"])),
        tokens=int(str(row["read"])) + int(str(row["written"])),
        known_cost_usd=known if isinstance(known, Decimal) else Decimal(str(known or 0)),
        unknown_costs=int(str(row["unknown"] or 0)),
    )
