"""Raw rows of a span of time made into figures. What the roll-ups store and what the open hour shows is computed here, once."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from math import fsum
from typing import NamedTuple

from analytics.histogram import Histogram, exact_percentile
from analytics.models import HourAnalytics, ModelAnalytics
from analytics.ranks import places
from councils.engine.types import RunStatus
from councils.models import CallStatus, CouncilRun, ModelCall
from councils.models.budget import to_units
from councils.models.run import LIVE

CHUNK_ROWS = 2_000
ERRORS = frozenset({CallStatus.REFUSED.value, CallStatus.BROKEN.value, CallStatus.ORPHANED.value})
MILLISECOND = timedelta(milliseconds=1)


class ModelName(NamedTuple):
    """A model as calls name it, whatever became of its row since."""

    provider: str
    model: str


class CallFacts(NamedTuple):
    provider: str
    model: str
    model_pk: int | None
    status: str
    cached: bool
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: Decimal | None
    error_kind: str
    latency_ms: int | None


CALL_COLUMNS = ("provider_name", "model_name", "model_id", *CallFacts._fields[3:])
"""Where ``CallFacts`` come from."""


@dataclass(slots=True, kw_only=True)
class CallSums:
    """Calls that have ended, as ``ModelAnalytics`` defines its columns."""

    model_pk: int | None = None
    requests: int = 0
    errors: int = 0
    cancelled: int = 0
    cache_hits: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_units: int = 0
    unknown_costs: int = 0
    errors_by_kind: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[int] = field(default_factory=list)
    rank_sum: int = 0
    rank_count: int = 0
    ranked_first: int = 0

    def add(self, call: CallFacts) -> None:
        if call.model_pk is not None:
            self.model_pk = max(call.model_pk, self.model_pk or 0)
        if call.cached:
            self.cache_hits += 1
            return
        self.requests += 1
        self.cancelled += call.status == CallStatus.CANCELLED.value
        if call.status in ERRORS:
            self.errors += 1
            self.errors_by_kind[call.error_kind or "unknown"] += 1
        if call.status == CallStatus.DONE.value and call.latency_ms is not None:
            self.latencies_ms.append(call.latency_ms)
        self._consume(call)

    def _consume(self, call: CallFacts) -> None:
        self.prompt_tokens += call.prompt_tokens or 0
        self.completion_tokens += call.completion_tokens or 0
        self.unknown_costs += call.cost_usd is None
        self.cost_units += to_units(call.cost_usd or Decimal(0))

    def rank(self, place: int) -> None:
        self.rank_sum += place
        self.rank_count += 1
        self.ranked_first += place == 1

    def as_row(self, hour: datetime, name: ModelName) -> ModelAnalytics:
        ordered = sorted(self.latencies_ms)
        times = Histogram.of(ordered)
        return ModelAnalytics(
            hour=hour,
            provider_name=name.provider,
            model_name=name.model,
            model_id=self.model_pk,
            cancelled=self.cancelled,
            latencies=times.to_json(),
            latency_total_ms=times.total_ms,
            latency_least_ms=times.least_ms,
            latency_most_ms=times.most_ms,
            average_latency_ms=times.average_ms,
            p50_latency_ms=exact_percentile(ordered, 0.5),
            p95_latency_ms=exact_percentile(ordered, 0.95),
            p99_latency_ms=exact_percentile(ordered, 0.99),
            errors_by_kind=dict(sorted(self.errors_by_kind.items())),
            rank_sum=self.rank_sum,
            rank_count=self.rank_count,
            ranked_first=self.ranked_first,
            **{name: getattr(self, name) for name in SUMMED},
        )


SUMMED = ("requests", "errors", "cache_hits", "prompt_tokens", "completion_tokens", "cost_units", "unknown_costs")
"""What hours of models and hours of the whole place both count."""

RUN_COLUMNS = ("status", "consensus_score", "started_at", "finished_at")


@dataclass(slots=True, kw_only=True)
class RunSums:
    """Runs that have ended: by status, how much reviewers agreed, and how long those took that were not cancelled."""

    statuses: Counter[str] = field(default_factory=Counter)
    scores: list[float] = field(default_factory=list)
    times: Histogram = field(default_factory=Histogram)

    def add(self, status: str, consensus: float | None, started: datetime | None, finished: datetime | None) -> None:
        self.statuses[status] += 1
        if consensus is not None:
            self.scores.append(consensus)
        if started and finished and status != RunStatus.CANCELLED.value:
            self.times.add(max((finished - started) // MILLISECOND, 0))


@dataclass(slots=True, kw_only=True)
class Figures:
    """What happened in a span of time."""

    runs: RunSums = field(default_factory=RunSums)
    models: dict[ModelName, CallSums] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not self.models and not self.runs.statuses

    def of(self, name: ModelName) -> CallSums:
        return self.models.setdefault(name, CallSums())

    def as_hour(self, hour: datetime, *, at: datetime) -> HourAnalytics:
        errors_by_kind = sum((sums.errors_by_kind for sums in self.models.values()), Counter[str]())
        times = self.runs.times
        return HourAnalytics(
            hour=hour,
            aggregated_at=at,
            consensus_sum=fsum(self.runs.scores),
            consensus_count=len(self.runs.scores),
            run_times=times.to_json(),
            run_total_ms=times.total_ms,
            run_least_ms=times.least_ms,
            run_most_ms=times.most_ms,
            errors_by_kind=dict(sorted(errors_by_kind.items())),
            **{status: self.runs.statuses[status] for status in ENDS},
            **{name: sum(getattr(sums, name) for sums in self.models.values()) for name in SUMMED},
        )

    def as_models(self, hour: datetime) -> list[ModelAnalytics]:
        return [self.models[name].as_row(hour, name) for name in sorted(self.models)]


ENDS = tuple(status.value for status in RunStatus if status.value not in LIVE)


def figures_between(start: datetime, end: datetime, *, ranked: bool = True) -> Figures:
    """Runs asked and calls begun from ``start`` until before ``end``, as far as they have ended. A constant number of queries.

    ``ranked`` also looks where the councils put the models.
    """
    figures = Figures()
    for call in _calls(start, end):
        figures.of(ModelName(call.provider, call.model)).add(call)
    # What trials of drafts cost is spent and counted above; how they went says nothing of what people were given.
    runs = CouncilRun.objects.real().filter(created_at__gte=start, created_at__lt=end).exclude(status__in=LIVE).order_by()
    for row in runs.values_list(*RUN_COLUMNS).iterator(CHUNK_ROWS):
        figures.runs.add(*row)
    for provider, model, place in places(start, end) if ranked else ():
        figures.of(ModelName(provider, model)).rank(place)
    return figures


def _calls(start: datetime, end: datetime) -> Iterator[CallFacts]:
    ended = ModelCall.objects.filter(created_at__gte=start, created_at__lt=end).exclude(status=CallStatus.SENDING.value).order_by()
    return (CallFacts(*row) for row in ended.values_list(*CALL_COLUMNS).iterator(CHUNK_ROWS))
