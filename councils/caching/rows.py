"""The lasting tier: rows of ``CachedResponse``. Sync store functions; what a database refuses is the caller's matter."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from councils.models import CachedResponse, CacheGeneration, CacheKind, CacheStatistic

ROOM_AFTER_EVICTION = 0.95
"""Evicting a batch at a time keeps a full cache from counting its rows for every answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is stored of one response."""

    kind: str
    key: str
    data: Mapping[str, Any]
    ttl_s: float
    model_id: int | None = None
    model_name: str = ""
    prompt_hash: str = ""


def ttl_of(kind: str) -> float:
    """How long a response of this kind is good, in seconds."""
    return {CacheKind.LLM: settings.CACHE_LLM_TTL, CacheKind.MCP: settings.CACHE_MCP_TTL}.get(CacheKind(kind), settings.CACHE_INTENT_TTL)


def find(kind: str, key: str) -> tuple[Any, float] | None:
    """A response that has not expired, and the seconds that it is still good for."""
    row = CachedResponse.objects.fresh().filter(kind=kind, cache_key=key).values_list("response_data", "expires_at").first()
    return None if row is None else (row[0], (row[1] - timezone.now()).total_seconds())


@transaction.atomic
def keep(entry: Entry) -> bool:
    """Store or renew a response. ``True`` says that it was written."""
    CachedResponse.objects.keep(
        ttl_s=entry.ttl_s,
        cache_key=entry.key,
        kind=entry.kind,
        model_id=entry.model_id,
        model_name=entry.model_name[:200],
        prompt_hash=entry.prompt_hash,
        response_data=dict(entry.data),
        size_bytes=len(orjson.dumps(entry.data)),
    )
    return True


def make_room() -> int:
    """Evict the least recently used beyond ``CACHE_MAX_SIZE``; how many that were."""
    if CachedResponse.objects.count() <= settings.CACHE_MAX_SIZE:
        return 0
    return CachedResponse.objects.all().evict(down_to=int(settings.CACHE_MAX_SIZE * ROOM_AFTER_EVICTION))


@transaction.atomic
def note_uses(hits: Mapping[str, int], looked: Mapping[str, tuple[int, int]]) -> None:
    """Add hits by key, and (requests, hits) by kind."""
    now = timezone.now()
    for key, count in sorted(hits.items()):
        CachedResponse.objects.filter(cache_key=key).update(hit_count=F("hit_count") + count, last_used_at=now)
    for kind, (requests, found) in sorted(looked.items()):
        row, _ = CacheStatistic.objects.get_or_create(kind=kind, day=now.date())
        CacheStatistic.objects.filter(pk=row.pk).update(requests=F("requests") + requests, hits=F("hits") + found)


def delete_expired() -> int:
    """Delete what is not good any more; how many rows that were."""
    return CachedResponse.objects.expired().delete()[0]


def generations() -> dict[str, int]:
    """The number of each kind whose entries in the fast tier were given up at least once."""
    return dict(CacheGeneration.objects.values_list("kind", "number"))


@transaction.atomic
def next_generation(kind: str) -> None:
    """Give up everything of a kind that the fast tier holds, whether or not it can be reached."""
    row, _ = CacheGeneration.objects.get_or_create(kind=kind)
    CacheGeneration.objects.filter(pk=row.pk).update(number=F("number") + 1)
