"""What the database knows, read when Prometheus asks: few queries whose cost does not grow with history, kept for some seconds.

The web processes tell it, workers do not: it is the same everywhere, so queries take ``max``. A database that is away leaves these figures
out and says so by ``council_database_up 0``; everything else is still told.
"""

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.db import Error, connection
from django.db.models import Case, Count, F, FloatField, Max, Min, Q, Sum, Value, When
from django.db.models.functions import Cast
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from councils.engine.types import RunStatus
from councils.models import BudgetAccount, BudgetPeriod, CachedResponse, CacheKind, CacheStatistic, CouncilRun, ModelInfo, Provider
from councils.models.budget import UNITS
from councils.models.health import BAD, EngineSign, HealthRecord

logger = logging.getLogger(__name__)

KEPT_S = 5.0
REST_S = 30.0
"""A database that is away may take seconds to say so. For so long nobody asks it again."""
SIZES_KEPT_S = 60.0
"""Adding up the sizes of what is cached reads all of its rows, at most ``CACHE_MAX_SIZE``."""
MOST_PROVIDERS = 100

Metrics = list[GaugeMetricFamily]


class DatabaseGauges(Collector):
    """Collects at scrape time. Threads: a scrape that comes while another one looks waits for it and takes what that found."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: Metrics = []
        self._good_until = 0.0
        self._sizes: GaugeMetricFamily | None = None
        self._sized_at = -SIZES_KEPT_S

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: registering must not ask the database."""
        return ()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        with self._lock:
            if time.monotonic() >= self._good_until:
                self._found, good_for_s = self._look()
                self._good_until = time.monotonic() + good_for_s
            return list(self._found)

    def _look(self) -> tuple[Metrics, float]:
        """What there is, and the seconds that it is good for."""
        up = GaugeMetricFamily("council_database_up", "Whether the database answered this scrape.")
        try:
            found = [_models(), _engines(), *_runs(), *_providers(), _budgets(), _hit_ratio(), self._cache_sizes()]
        except Error as error:
            logger.warning("the database does not answer, its figures are left out: %s", error)
            connection.close()
            up.add_metric([], 0)
            return [up], REST_S
        up.add_metric([], 1)
        return [up, *found], KEPT_S

    def _cache_sizes(self) -> GaugeMetricFamily:
        if self._sizes is None or time.monotonic() - self._sized_at >= SIZES_KEPT_S:
            self._sizes, self._sized_at = _sizes(), time.monotonic()
        return self._sizes


def _models() -> GaugeMetricFamily:
    count = ModelInfo.objects.usable().count()
    return GaugeMetricFamily("council_models_count", "Models that councils can ask.", value=count)


def _runs() -> Iterator[GaugeMetricFamily]:
    """The live ones are few, and have an index of their own. One that is held waits for staff, not for a worker."""
    held = Q(held=True)
    unowned = Q(worker="", held=False)
    queued = Q(status=RunStatus.QUEUED.value, held=False)
    live = CouncilRun.objects.live().order_by()
    found = live.aggregate(
        all=Count("pk"), kept_back=Count("pk", filter=held), unowned=Count("pk", filter=unowned), oldest=Min("created_at", filter=queued)
    )
    age = 0.0 if found["oldest"] is None else max((timezone.now() - found["oldest"]).total_seconds(), 0.0)
    yield GaugeMetricFamily("council_runs_live", "Runs that have not ended.", value=found["all"])
    yield GaugeMetricFamily("council_runs_held", "Live runs that wait until staff decide, after a restore.", value=found["kept_back"])
    yield GaugeMetricFamily("council_runs_unowned", "Live runs that no process drives; held ones do not count.", value=found["unowned"])
    yield GaugeMetricFamily("council_queue_age_seconds", "How long the oldest run has waited for its start; 0 without one.", value=age)


def _engines() -> GaugeMetricFamily:
    count = EngineSign.objects.alive().count()
    return GaugeMetricFamily("council_engines_alive", "Processes that drive runs and have shown it lately.", value=count)


def _providers() -> Iterator[GaugeMetricFamily]:
    """Each provider at 0 or 1. It is down when it refuses our key, or none of its addresses passed a check of late."""
    up = GaugeMetricFamily("council_provider_up", "Whether a provider takes our calls, as far as is known.", labels=["provider"])
    checked = Q(health_records__in=HealthRecord.objects.of_addresses().current().in_use().fresh())
    rows = Provider.objects.active().annotate(
        known=Count("health_records", filter=checked),
        bad=Count("health_records", filter=checked & Q(health_records__state__in=BAD)),
    )
    for slug, problem_at, known, bad in rows.order_by("pk").values_list("slug", "problem_at", "known", "bad")[:MOST_PROVIDERS]:
        up.add_metric([slug], float(problem_at is None and not (known and bad == known)))
    yield up


def _budgets() -> GaugeMetricFamily:
    """What is left of the budget that has the least left, by scope and period; nothing for one that nobody has asked against yet."""
    now = timezone.now()
    present = [Q(budget__period=period, period_start=period.start(now)) for period in BudgetPeriod]
    scope = Case(
        When(budget__user__isnull=False, then=Value("user")),
        When(budget__council__isnull=False, then=Value("council")),
        When(budget__api_key__isnull=False, then=Value("api_key")),
        default=Value("everybody"),
    )
    limit = Cast("budget__limit_usd", FloatField()) * UNITS
    used = Case(When(budget__limit_usd__lte=0, then=1.0), default=Cast(F("spent") + F("reserved"), FloatField()) / limit)
    rows = BudgetAccount.objects.filter(Q(*present, _connector=Q.OR), budget__is_active=True).order_by()
    left = GaugeMetricFamily("council_budget_left_ratio", "Least part left of any budget of this scope, 0-1.", labels=["scope", "period"])
    for name, period, most in rows.annotate(scope=scope).values_list("scope", "budget__period").annotate(most=Max(used)):
        left.add_metric([name, period], min(max(1 - most, 0.0), 1.0))
    return left


def _hit_ratio() -> GaugeMetricFamily:
    """Of today and yesterday, UTC: right after midnight a day says nothing."""
    ratio = GaugeMetricFamily("cache_hit_ratio", "Answers found in the cache per look, today and yesterday.", labels=["kind"])
    since = timezone.now().date() - timedelta(days=1)
    days = CacheStatistic.objects.filter(day__gte=since).order_by().values_list("kind")
    for kind, asked, found in days.annotate(asked=Sum("requests"), found=Sum("hits")):
        if asked:
            ratio.add_metric([kind], found / asked)
    return ratio


def _sizes() -> GaugeMetricFamily:
    """Every kind has its line, so that an empty cache is told from one that nobody measures."""
    stored = dict(CachedResponse.objects.order_by().values_list("kind").annotate(size=Sum("size_bytes")))
    size = GaugeMetricFamily("cache_size_bytes", "Bytes of responses that the database keeps.", labels=["kind"])
    for kind in CacheKind.values:
        size.add_metric([kind], stored.get(kind) or 0)
    return size
