import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings as site_settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from councils.services import limiting
from councils.services.limiting import SOCKET_MESSAGES, Rule, buckets, changes, reads, take

SLOW = Rule("slow", requests=100, window_s=3600, burst=20)


@pytest.fixture(autouse=True)
def fresh(settings: Settings) -> Iterator[None]:
    buckets.empty()
    yield
    buckets.empty()


@pytest.fixture
def in_memory(settings: Settings) -> None:
    settings.REDIS_CACHE_URL = ""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock in the hands of the test."""
    now = [1000.0]
    monkeypatch.setattr("throttled.utils.now_mono_f", lambda: now[0])
    return now


def allowed(rule: Rule, identity: str) -> bool:
    verdict = take(rule, identity)
    assert verdict is not None
    return verdict.allowed


def test_a_full_bucket_gives_its_burst_and_not_one_more(in_memory: None, clock: list[float]) -> None:
    assert [allowed(SLOW, "ada") for _ in range(22)] == [True] * 20 + [False] * 2


def test_one_visitor_does_not_use_up_the_bucket_of_another(in_memory: None) -> None:
    for _ in range(21):
        take(SLOW, "ada")

    assert allowed(SLOW, "eve")


def test_a_bucket_fills_at_its_rate(in_memory: None, clock: list[float]) -> None:
    for _ in range(20):
        take(SLOW, "ada")
    clock[0] += 35
    assert not allowed(SLOW, "ada")
    clock[0] += 2
    assert allowed(SLOW, "ada")
    assert not allowed(SLOW, "ada")


def test_who_asks_slower_than_the_rate_is_never_refused(in_memory: None, clock: list[float]) -> None:
    """A bucket that rounds to whole tokens would starve this visitor: 30 s are 0.83 tokens."""
    rule = Rule("slow", requests=120, window_s=3600, burst=2)
    for _ in range(200):
        assert allowed(rule, "ada")
        clock[0] += 30


def test_a_refusal_says_when_to_come_back(in_memory: None, clock: list[float]) -> None:
    for _ in range(20):
        take(SLOW, "ada")
    refusal = take(SLOW, "ada")

    assert refusal is not None
    assert refusal.headers()["Retry-After"] == "36"
    assert refusal.headers()["X-RateLimit-Limit"] == "100"
    assert refusal.headers()["X-RateLimit-Remaining"] == "0"
    assert abs(int(refusal.headers()["X-RateLimit-Reset"]) - time.time() - 720) < 60


def test_an_answer_says_what_is_left_and_no_wait(in_memory: None) -> None:
    verdict = take(SLOW, "ada")

    assert verdict is not None
    assert verdict.headers()["X-RateLimit-Remaining"] == "19"
    assert "Retry-After" not in verdict.headers()


def test_no_requests_means_no_limit(settings: Settings) -> None:
    settings.RATE_LIMIT_REQUESTS = 0

    assert take(changes(), "ada") is None


def test_settings_make_the_rules(settings: Settings) -> None:
    settings.RATE_LIMIT_REQUESTS, settings.RATE_LIMIT_WINDOW_SECONDS, settings.RATE_LIMIT_BURST = 7, 60, 3
    settings.RATE_LIMIT_READ_REQUESTS, settings.RATE_LIMIT_READ_BURST = 70, 30

    assert changes() == Rule("changes", 7, 60, 3)
    assert reads() == Rule("reads", 70, 60, 30)


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    requests=st.integers(1, 1000),
    window=st.integers(1, 7200),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(0, 600, allow_nan=False), min_size=1, max_size=120),
)
def test_no_pattern_of_asking_beats_burst_plus_rate(requests: int, window: int, burst: int, pauses: list[float]) -> None:
    """In any stretch of time no more than ``burst + rate × time`` requests pass."""
    rule, now = Rule("any", requests, window, burst), [0.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("throttled.utils.now_mono_f", lambda: now[0])
        patch.setattr(site_settings, "REDIS_CACHE_URL", "")
        buckets.empty()
        passed = []
        for pause in pauses:
            now[0] += pause
            if allowed(rule, "ada"):
                passed.append(now[0])
    for first, start in enumerate(passed):
        for last in range(first, len(passed)):
            # The margin is for rounding in the sums of floats.
            assert last - first + 1 <= burst + (passed[last] - start) * requests / window + 1e-6


def test_threads_share_a_bucket_exactly(in_memory: None) -> None:
    with ThreadPoolExecutor(20) as pool:
        verdicts = list(pool.map(lambda _: allowed(SLOW, "ada"), range(200)))

    assert sum(verdicts) == 20


def test_a_redis_that_is_away_makes_the_process_count_for_itself(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.REDIS_CACHE_URL = "redis://127.0.0.1:1/0"

    assert [allowed(SLOW, "ada") for _ in range(21)] == [True] * 20 + [False]
    assert len([record for record in caplog.records if "Redis failed" in record.message]) == 1


def test_messages_of_a_socket_are_counted_in_this_process_alone(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.REDIS_CACHE_URL = "redis://127.0.0.1:1/0"

    assert sum(allowed(SOCKET_MESSAGES, "socket") for _ in range(20)) == 20
    assert not caplog.records


def _take_many(url: str, identity: str, results: "multiprocessing.Queue[int]") -> None:
    site_settings.REDIS_CACHE_URL = url
    results.put(sum(allowed(SLOW, identity) for _ in range(25)))


@pytest.mark.full
@pytest.mark.skipif(not site_settings.REDIS_CACHE_URL, reason="needs Redis")
def test_processes_share_a_bucket_exactly() -> None:
    identity = f"test-{time.time_ns()}"
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[int] = context.Queue()
    processes = [context.Process(target=_take_many, args=(site_settings.REDIS_CACHE_URL, identity, results)) for _ in range(4)]
    for process in processes:
        process.start()
    passed = sum(results.get(timeout=30) for _ in processes)
    for process in processes:
        process.join()

    assert passed == 20


@pytest.mark.full
@pytest.mark.skipif(not site_settings.REDIS_CACHE_URL, reason="needs Redis")
def test_a_redis_that_comes_back_is_used_again(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    url, identity = settings.REDIS_CACHE_URL, f"test-{time.time_ns()}"
    settings.REDIS_CACHE_URL = "redis://127.0.0.1:1/0"
    take(SLOW, identity)
    settings.REDIS_CACHE_URL = url
    monkeypatch.setattr(limiting.buckets, "_rest_until", 0.0)

    verdict = take(SLOW, identity)

    assert verdict is not None
    assert verdict.remaining == 19
