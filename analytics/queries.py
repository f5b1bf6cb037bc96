"""What the dashboard tells, read from the roll-ups; only hours that are not sealed yet are read from raw rows."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from django.conf import settings
from django.db.models import Sum
from django.db.models.functions import TruncDay

from analytics.days import midnight_of
from analytics.histogram import Histogram
from analytics.models import AggregationMark, HourAnalytics, ModelAnalytics
from analytics.rollup import ENDS, Figures, ModelName, figures_between
from councils.engine.types import RunStatus
from councils.models import CouncilRun, ModelCall
from councils.models.budget import to_usd
from councils.models.run import LIVE
from councils.services.budgeting import Standing, standings_for_everybody

DAYS = 30
"""How far back the charts reach, today included."""
MOST_OPEN = timedelta(hours=3)
"""How far before midnight hours may be open, until their sums are made, without being missed."""


class HourRow(Protocol):
    """What is added up of an hour: a stored row, or one that was just computed."""

    hour: datetime
    run_times: dict[str, int]
    run_total_ms: int
    run_least_ms: int | None
    run_most_ms: int | None
    errors_by_kind: dict[str, int]


ADDED = ("consensus_sum", "consensus_count", "requests", "cache_hits", "errors", "cost_units", "unknown_costs")
HOUR_COLUMNS = ("hour", "run_times", "run_total_ms", "run_least_ms", "run_most_ms", "errors_by_kind", *ENDS, *ADDED)


@dataclass(slots=True, kw_only=True)
class Span:
    """Figures of a span of time, added up from hours. Cost in units, times in milliseconds."""

    statuses: Counter[str] = field(default_factory=Counter)
    consensus_sum: float = 0
    consensus_count: int = 0
    times: Histogram = field(default_factory=Histogram)
    requests: int = 0
    cache_hits: int = 0
    errors: int = 0
    cost_units: int = 0
    unknown_costs: int = 0
    errors_by_kind: Counter[str] = field(default_factory=Counter)

    def add(self, hour: HourRow) -> None:
        self.statuses.update({status: getattr(hour, status) for status in ENDS})
        self.times.merge(Histogram.stored(hour.run_times, hour.run_total_ms, hour.run_least_ms, hour.run_most_ms))
        self.errors_by_kind.update(hour.errors_by_kind)
        for name in ADDED:
            setattr(self, name, getattr(self, name) + getattr(hour, name))

    @property
    def ended(self) -> int:
        """Runs that came to an end of their own. Cancelled ones are nobody's failure and not counted."""
        return self.statuses.total() - self.statuses[RunStatus.CANCELLED.value]

    @property
    def success_rate(self) -> float | None:
        return self.statuses[RunStatus.SUCCEEDED.value] / self.ended if self.ended else None

    @property
    def agreement(self) -> float | None:
        """Mean consensus score of the runs that have one, 0-1."""
        return self.consensus_sum / self.consensus_count if self.consensus_count else None

    @property
    def hit_rate(self) -> float | None:
        """Part of the calls that the cache answered."""
        asked = self.requests + self.cache_hits
        return self.cache_hits / asked if asked else None

    @property
    def spend_usd(self) -> Decimal:
        """Without the ``unknown_costs`` calls whose cost is not known."""
        return to_usd(self.cost_units)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Today and this month, UTC, and each of the last ``DAYS`` days, oldest first.

    ``live`` runs are at work now. ``costs`` are units by day and model. ``behind_since`` is set where hours are in no sum although it was
    time long ago, because nothing has summed them up: the days from then on are not complete. ``missing`` are the first and the last day
    of this month whose calls are not in ``month``, because no sum has them and they are too many to be read.
    """

    now: datetime
    today: Span
    month: Span
    days: Mapping[date, Span]
    costs: Mapping[tuple[date, ModelName], int]
    live: int
    budgets: Mapping[str, Standing]
    behind_since: datetime | None
    missing: tuple[date, date] | None

    @property
    def is_empty(self) -> bool:
        """Nothing has ended yet; the first run may be at work."""
        return not any(day.statuses.total() or day.requests for day in self.days.values())


def board(now: datetime) -> Board:
    """Everything that the dashboard counts, in a constant number of queries."""
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=DAYS - 1)
    mark = AggregationMark.objects.filter(pk=1).first()
    sealed = (mark.sealed_until if mark else None) if settings.ENABLE_ANALYTICS else None
    open_from = _open_from(sealed, midnight_of(today))
    hours = list(_hours(min(first, today.replace(day=1)), open_from)) if settings.ENABLE_ANALYTICS else []
    still_open = _open_days(open_from, now)
    hours += [figures.as_hour(midnight_of(day), at=now) for day, figures in still_open.items()]
    days = {first + timedelta(days=number): Span() for number in range(DAYS)}
    month = Span()
    for hour in hours:
        day = hour.hour.astimezone(UTC).date()
        if day in days:
            days[day].add(hour)
        if day >= today.replace(day=1):
            month.add(hour)
    return Board(
        now=now,
        today=days[today],
        month=month,
        days=days,
        costs=_costs(first, open_from, still_open),
        live=CouncilRun.objects.real().live().count(),
        budgets=standings_for_everybody(now),
        behind_since=_behind_since(sealed, midnight_of(today)),
        missing=_missing(sealed, open_from, midnight_of(today.replace(day=1))),
    )


def _open_from(sealed: datetime | None, midnight: datetime) -> datetime:
    """From when on raw rows are read: where the sums end, but never much more than a day of them."""
    oldest = midnight - MOST_OPEN if settings.ENABLE_ANALYTICS else midnight
    return max(sealed, oldest) if sealed else oldest


def _open_days(start: datetime, now: datetime) -> Mapping[date, Figures]:
    """What raw rows say from then on, by day."""
    midnight = midnight_of(now.astimezone(UTC).date())
    spans = [(start, midnight), (midnight, now + MOST_OPEN)] if start < midnight else [(start, now + MOST_OPEN)]
    return {begin.date(): figures_between(begin, end, ranked=False) for begin, end in spans}


def _hours(first: date, until: datetime) -> Iterable[HourRow]:
    # As plain rows: to make a model of each of 700 takes longer than to add them up.
    hours: Any = HourAnalytics.objects.filter(hour__gte=midnight_of(first), hour__lt=until).order_by()
    found: Iterable[HourRow] = hours.values_list(*HOUR_COLUMNS, named=True)
    return found


def _costs(first: date, until: datetime, still_open: Mapping[date, Figures]) -> Mapping[tuple[date, ModelName], int]:
    costs: Counter[tuple[date, ModelName]] = Counter()
    if settings.ENABLE_ANALYTICS:
        hours = ModelAnalytics.objects.filter(hour__gte=midnight_of(first), hour__lt=until, cost_units__gt=0).order_by()
        days = (
            hours.annotate(day=TruncDay("hour", tzinfo=UTC)).values("day", "provider_name", "model_name").annotate(cost=Sum("cost_units"))
        )
        for day, provider, model, cost in days.values_list("day", "provider_name", "model_name", "cost"):
            costs[day.date(), ModelName(provider, model)] += cost
    for day, figures in still_open.items():
        for name, sums in figures.models.items():
            costs[day, name] += sums.cost_units
    return costs


def _missing(sealed: datetime | None, open_from: datetime, month: datetime) -> tuple[date, date] | None:
    """The days of a month between its sums and what is read from raw rows; ``None`` where no call was begun then."""
    start = month if sealed is None else max(sealed, month)
    calls = ModelCall.objects.filter(created_at__gte=start, created_at__lt=open_from)
    if start >= open_from or not calls.exists():
        return None
    return start.astimezone(UTC).date(), (open_from - timedelta(microseconds=1)).astimezone(UTC).date()


def _behind_since(sealed: datetime | None, midnight: datetime) -> datetime | None:
    """From when on ended runs are neither in a sum nor read as they are; ``None`` where none is."""
    read_from = _open_from(sealed, midnight)
    if not settings.ENABLE_ANALYTICS or (sealed is not None and sealed >= read_from):
        return None
    missed = CouncilRun.objects.real().filter(created_at__lt=read_from).exclude(status__in=LIVE).order_by("created_at")
    if sealed is not None:
        missed = missed.filter(created_at__gte=sealed)
    return missed.values_list("created_at", flat=True).first()
