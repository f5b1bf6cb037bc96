from datetime import timedelta

import pytest
from django.utils import timezone

from councils.caching import rows
from councils.caching.rows import Entry
from councils.models import CachedResponse, CacheStatistic
from councils.services.caching import cache_stats, forget

pytestmark = pytest.mark.django_db


def keep(key: str, kind: str = "llm") -> None:
    rows.keep(Entry(kind=kind, key=key * 64, data={"text": "Blue."}, ttl_s=60))


def test_forgetting_takes_any_selection() -> None:
    keep("a")
    keep("b", "mcp")
    keep("c")

    assert forget(CachedResponse.objects.filter(cache_key__in=["a" * 64, "b" * 64])) == 2
    assert CachedResponse.objects.get().cache_key == "c" * 64


def test_statistics_look_back_thirty_days() -> None:
    today = timezone.now().date()
    for days in (0, 29, 31):
        CacheStatistic.objects.create(kind="llm", day=today - timedelta(days=days), requests=10, hits=5)

    assert cache_stats()["llm"].requests == 20
