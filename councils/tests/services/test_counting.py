from datetime import UTC, datetime

import pytest
from django.db import OperationalError
from pytest_django.fixtures import Settings

from councils.models import RateLimitLog
from councils.services import counting
from councils.services.counting import RequestCounter

pytestmark = pytest.mark.django_db


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> RequestCounter:
    settings.RATE_LIMIT_WINDOW_SECONDS = 3600
    monkeypatch.setattr("councils.services.counting.time.time", lambda: 7200.0 * 100 + 5)
    return RequestCounter()


def test_requests_of_a_window_become_one_row(counter: RequestCounter) -> None:
    for blocked in (False, False, True):
        counter.count("user:1", "GET ask", blocked=blocked)
    counter.flush()

    row = RateLimitLog.objects.get()
    assert (row.identifier, row.endpoint, row.request_count, row.blocked_count) == ("user:1", "GET ask", 3, 1)
    assert row.window_start == datetime.fromtimestamp(720_000, UTC)
    assert (row.window_end - row.window_start).total_seconds() == 3600


def test_what_comes_later_is_added(counter: RequestCounter) -> None:
    counter.count("user:1", "GET ask", blocked=False)
    counter.flush()
    counter.count("user:1", "GET ask", blocked=True)
    counter.flush()

    assert RateLimitLog.objects.values_list("request_count", "blocked_count").get() == (2, 1)


def test_nothing_is_written_for_a_single_request_until_it_is_time(counter: RequestCounter, monkeypatch: pytest.MonkeyPatch) -> None:
    counter.count("user:1", "GET ask", blocked=False)
    assert not RateLimitLog.objects.exists()

    monkeypatch.setattr(counting, "FLUSH_S", 0.0)
    counter.count("user:1", "GET ask", blocked=False)
    assert RateLimitLog.objects.get().request_count == 2


def test_a_flood_of_visitors_does_not_fill_the_memory(counter: RequestCounter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_KEYS", 3)
    for number in range(50):
        counter.count(f"ip:10.0.0.{number}", "GET ask", blocked=False)
    counter.flush()

    assert RateLimitLog.objects.count() == 4
    assert RateLimitLog.objects.get(identifier="others").request_count == 47


def test_a_database_that_is_away_stops_no_request(
    counter: RequestCounter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(counting, "_add", away)
    counter.count("user:1", "GET ask", blocked=False)
    counter.flush()

    assert "not counted" in caplog.text
