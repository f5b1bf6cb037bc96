"""What nobody needs any more is deleted: by hand and on a schedule."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from councils.caching import rows
from councils.caching.rows import Entry
from councils.models import CachedResponse, EngineSign, HealthRecord, RateLimitLog
from councils.store.cleaning import clean_up
from councils.tasks import cleanup_expired_cache
from councils.tests.factories import make_model

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=40)


@pytest.fixture(autouse=True)
def one_of_two_expired() -> None:
    for key in "ab":
        rows.keep(Entry(kind="llm", key=key * 64, data={"text": "Blue."}, ttl_s=60))
    CachedResponse.objects.filter(cache_key="a" * 64).update(expires_at=timezone.now() - LONG_AGO)


def test_what_has_expired_is_deleted_once() -> None:
    assert [clean_up(), clean_up()] == [1, 0]
    assert CachedResponse.objects.get().cache_key == "b" * 64


def test_counts_of_requests_are_kept_for_a_month() -> None:
    for days in (1, 29, 31):
        at = timezone.now() - timedelta(days=days)
        RateLimitLog.objects.create(identifier="user:1", endpoint=f"GET {days}", window_start=at, window_end=at)

    clean_up()

    assert set(RateLimitLog.objects.values_list("endpoint", flat=True)) == {"GET 1", "GET 29"}


def test_the_command_says_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("cleanup_expired_cache")

    assert "1 expired" in capsys.readouterr().out


def test_the_task_tells_how_many() -> None:
    assert cleanup_expired_cache.apply().get() == {"deleted_count": 1}


def test_past_health_and_signs_of_dead_engines_go_too() -> None:
    now = timezone.now()
    provider = make_model().provider
    for days, current in ((100, False), (100, True), (10, False)):
        old = now - timedelta(days=days)
        HealthRecord.objects.create(
            provider=provider, base_url=f"http://{days}.example", state="healthy", since=old, checked_at=old, is_current=current
        )
    for hours in (1, 30):
        seen = now - timedelta(hours=hours)
        EngineSign.objects.create(worker=f"host:{hours}", kind="celery", started_at=seen, seen_at=seen)

    clean_up()

    assert sorted(HealthRecord.objects.values_list("base_url", "is_current")) == [
        ("http://10.example", False),
        ("http://100.example", True),
    ]
    assert EngineSign.objects.get().worker == "host:1"
