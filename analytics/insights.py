"""What the roll-ups say of one model, and of all of them, in the time up to now. Hours that are not summed up yet are read as they are."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db.models import QuerySet, Sum

from analytics import addresses
from analytics.aggregation import hour_of
from analytics.days import DAY
from analytics.histogram import Histogram
from analytics.labels import labels_of
from analytics.models import AggregationMark, ModelAnalytics
from analytics.rollup import CALL_COLUMNS, CallFacts, CallSums, ModelName
from analytics.sums import Sums
from councils.models import CallStatus, ModelCall, ModelInfo

SPANS = (("24 hours", DAY), ("7 days", 7 * DAY), ("30 days", 30 * DAY))
MOST_OPEN = DAY
"""So much is read from single calls at most."""
SUMMED = ("requests", "errors", "cancelled", "cache_hits", "prompt_tokens", "completion_tokens", "cost_units", "unknown_costs")
PLACED = ("rank_sum", "rank_count", "ranked_first")


@dataclass(slots=True, kw_only=True)
class ModelSpan(Sums):
    """How a model did in a span of time; columns as ``ModelAnalytics`` has them."""

    title: str = ""
    requests: int = 0
    errors: int = 0
    cancelled: int = 0
    cache_hits: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_units: int = 0
    unknown_costs: int = 0
    rank_sum: int = 0
    rank_count: int = 0
    ranked_first: int = 0
    times: Histogram = field(default_factory=Histogram)
    errors_by_kind: Counter[str] = field(default_factory=Counter)

    def add(self, hour: ModelAnalytics) -> None:
        for name in (*SUMMED, *PLACED):
            setattr(self, name, getattr(self, name) + getattr(hour, name))
        self.times.merge(hour.times)
        self.errors_by_kind.update(hour.errors_by_kind)

    @property
    def half_within_ms(self) -> int | None:
        return self.times.percentile(0.5)

    @property
    def most_within_ms(self) -> int | None:
        return self.times.percentile(0.95)

    @property
    def average_place(self) -> float | None:
        return self.rank_sum / self.rank_count if self.rank_count else None

    @property
    def faults(self) -> Sequence[tuple[str, int]]:
        return [(kind.replace("_", " "), count) for kind, count in self.errors_by_kind.most_common()]


def model_insights(model: ModelInfo, now: datetime) -> Sequence[ModelSpan]:
    """The last 24 hours, 7 and 30 days of a model, whole hours. Three queries; places come with the hourly sums."""
    spans = [ModelSpan(title=title) for title, _ in SPANS]
    begins = [hour_of(now - length) for _, length in SPANS]
    open_from = _open_from(now)
    hours = ModelAnalytics.objects.filter(model=model, hour__gte=begins[-1], hour__lt=open_from).order_by()
    for hour in [*(hours if settings.ENABLE_ANALYTICS else ()), _open_hours(model, open_from)]:
        for span, begin in zip(spans, begins, strict=True):
            if hour.hour >= begin:
                span.add(hour)
    return spans


def _open_from(now: datetime) -> datetime:
    sealed = AggregationMark.objects.filter(pk=1).values_list("sealed_until", flat=True).first() if settings.ENABLE_ANALYTICS else None
    oldest = hour_of(now - MOST_OPEN)
    return max(sealed, oldest) if sealed else oldest


def _open_hours(model: ModelInfo, start: datetime) -> ModelAnalytics:
    """The calls of a model from then on, as if they were one hour."""
    calls, sums = ModelCall.objects.filter(model=model, created_at__gte=start).exclude(status=CallStatus.SENDING.value), CallSums()
    for row in calls.order_by().values_list(*CALL_COLUMNS):
        sums.add(CallFacts(*row))
    return sums.as_row(start, ModelName(model.provider.name, model.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A model among the others. Times in milliseconds, place from 1; ``address`` leads to its hours."""

    provider: str
    model: str
    requests: int
    success_rate: float | None
    average_ms: int | None
    average_place: float | None
    address: str


def standings(now: datetime, days: int) -> Sequence[Standing]:
    """Models that were asked in the hours of the last days that are summed up, the busiest first. Two queries."""
    hours: QuerySet[Any] = QuerySet(ModelAnalytics).filter(hour__gte=hour_of(now - days * DAY)).order_by()
    names = ("requests", "errors", "cancelled", "latency_total_ms", "rank_sum", "rank_count")
    sums: dict[str, Any] = {f"{name}_sum": Sum(name) for name in names}
    rows: Iterable[Mapping[str, Any]] = hours.values("provider_name", "model_name").annotate(**sums).order_by("-requests_sum", "model_name")
    labels = labels_of(ModelName(row["provider_name"], row["model_name"]) for row in rows)
    since = hour_of(now - days * DAY).date()
    return [_standing(row, since, labels) for row in rows if row["requests_sum"]]


def _standing(row: Mapping[str, Any], since: date, labels: Mapping[ModelName, str]) -> Standing:
    judged = row["requests_sum"] - row["cancelled_sum"]
    answered = judged - row["errors_sum"]
    return Standing(
        provider=row["provider_name"],
        model=labels.get(ModelName(row["provider_name"], row["model_name"]), row["model_name"]),
        requests=row["requests_sum"],
        success_rate=answered / judged if judged else None,
        average_ms=round(row["latency_total_ms_sum"] / answered) if answered else None,
        average_place=row["rank_sum_sum"] / row["rank_count_sum"] if row["rank_count_sum"] else None,
        address=addresses.hours(since, row["provider_name"], row["model_name"]),
    )
