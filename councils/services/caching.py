"""Looking after the cache: is it well, how good is it, what shall be forgotten."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from django.conf import settings
from django.db import Error
from django.db.models import Count, QuerySet, Sum
from django.utils import timezone
from django.utils.crypto import salted_hmac

from councils.caching.fast import FastTier
from councils.caching.rows import generations, next_generation, ttl_of
from councils.models import CachedResponse, CacheKind, CacheStatistic, CouncilConfiguration
from councils.services.auditing import record_deed_to
from councils.snapshot import CacheUse, Snapshot
from councils.telemetry import metrics

STATISTICS_DAYS = 30
SEED_DIGITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheHealth:
    """``status``: ``ok``, ``degraded`` (one tier is away, the other serves), ``down`` or ``disabled``."""

    status: str
    fast: bool
    database: bool


@dataclass(frozen=True, slots=True)
class KindStats:
    """One kind: what is stored now, and how often it was looked for and found in the last ``STATISTICS_DAYS`` days."""

    entries: int
    size_bytes: int
    requests: int
    hits: int
    ttl_s: float

    @property
    def hit_rate(self) -> float | None:
        """Hits per request, 0-1; ``None`` when nothing was looked for."""
        return self.hits / self.requests if self.requests else None


def with_cache(
    snapshot: Snapshot, council: CouncilConfiguration, *, question: str, fresh: bool, begins: bool = False, blind: bool = False
) -> Snapshot:
    """The snapshot of a run that uses the cache as far as its council does. ``fresh``: its own answers shall be new.

    A ``blind`` run shares no answers with others, before or after it: those would tell who wrote them.

    A run that ``begins`` a conversation takes its seed from what is asked of whom, so that the same question meets the same labels,
    shuffles and tie-breaks, and finds its reviews and its synthesis in the cache too. The seed is keyed: no model can foresee a label.
    """
    if blind or not council.use_cache or not settings.ENABLE_CACHE:
        return replace(snapshot, cache=CacheUse.OFF)
    if fresh:
        return replace(snapshot, cache=CacheUse.WRITE)
    if not begins:
        return replace(snapshot, cache=CacheUse.FULL)
    asked = json.dumps([asdict(replace(snapshot.spec, seed="")), question], sort_keys=True)
    seed = salted_hmac("councils.run-seed", asked, algorithm="sha256").hexdigest()[:SEED_DIGITS]
    return replace(snapshot, spec=replace(snapshot.spec, seed=seed), cache=CacheUse.FULL)


def cache_health() -> CacheHealth:
    """Try both tiers."""
    if not settings.ENABLE_CACHE:
        return CacheHealth(status="disabled", fast=False, database=False)
    fast, database = FastTier().answers(), _database_answers()
    status = {2: "ok", 1: "degraded", 0: "down"}[fast + database]
    return CacheHealth(status=status, fast=fast, database=database)


def _database_answers() -> bool:
    try:
        CachedResponse.objects.exists()
    except Error:
        return False
    return True


def cache_stats() -> Mapping[str, KindStats]:
    """All kinds, in two queries."""
    since = timezone.now().date() - timedelta(days=STATISTICS_DAYS)
    rows = CachedResponse.objects.order_by().values("kind").annotate(n=Count("pk"), size=Sum("size_bytes"))
    stored = {kind: (n, size or 0) for kind, n, size in rows.values_list("kind", "n", "size")}
    days = CacheStatistic.objects.filter(day__gte=since).order_by().values("kind").annotate(asked=Sum("requests"), found=Sum("hits"))
    used = {kind: (asked or 0, found or 0) for kind, asked, found in days.values_list("kind", "asked", "found")}
    return {kind: KindStats(*stored.get(kind, (0, 0)), *used.get(kind, (0, 0)), ttl_of(kind)) for kind in CacheKind.values}


def invalidate(*, kind: str, model_name: str = "") -> int:
    """Forget what is kept of a kind, or only of one model; how many responses of the database that were.

    A call that is under way may still store its answer afterwards: that one is new. All that the fast tier holds of the kind is given up:
    it may be away now, and whoever has just read the database may still put an old answer there.
    """
    rows = CachedResponse.objects.filter(kind=kind)
    if model_name:
        return forget(rows.filter(model_name=model_name), what=f"{CacheKind(kind).label} of {model_name}")
    # The database first: it refills the fast tier.
    deleted = rows.delete()[0]
    FastTier().clear(kind)
    next_generation(kind)
    metrics.cache_used("delete", "ok", deleted)
    _tell(f"{CacheKind(kind).label}, all", deleted)
    return deleted


def _tell(what: str, deleted: int) -> None:
    record_deed_to(CachedResponse, what, f"{deleted} cached responses were forgotten.")


def forget(rows: QuerySet[CachedResponse], *, what: str = "Chosen responses") -> int:
    """Forget these responses in both tiers; how many that were. ``what`` they are is told in the trail."""
    keys: dict[str, list[str]] = {}
    for kind, key in rows.values_list("kind", "cache_key"):
        keys.setdefault(kind, []).append(key)
    deleted = 0
    for kind, some in keys.items():
        deleted += CachedResponse.objects.filter(cache_key__in=some).delete()[0]
        FastTier(generations()).drop_many(kind, some)
        next_generation(kind)
    _tell(what, deleted)
    return deleted
