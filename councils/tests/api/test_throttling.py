"""How often programs may come."""

from collections.abc import Iterator

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from councils.models import ApiKey, CouncilConfiguration, CouncilRun, RateLimitLog, User
from councils.services.counting import counter
from councils.services.limiting import Rule, buckets
from councils.tests.api.conftest import ClientOf

pytestmark = pytest.mark.django_db

RUNS = "/api/v1/runs/"


@pytest.fixture(autouse=True)
def few(settings: Settings) -> Iterator[None]:
    settings.REDIS_CACHE_URL = ""
    settings.RATE_LIMIT_WINDOW_SECONDS = 3600
    settings.RATE_LIMIT_REQUESTS, settings.RATE_LIMIT_BURST = 100, 2
    settings.RATE_LIMIT_READ_REQUESTS, settings.RATE_LIMIT_READ_BURST = 7200, 5
    buckets.empty()
    yield
    buckets.empty()
    counter.flush()


def ask(program: Client, council: CouncilConfiguration) -> int:
    return program.post(RUNS, {"question": "Why?", "council": council.slug}, content_type="application/json").status_code


def test_the_question_after_the_burst_is_refused_in_the_envelope(api: Client, council: CouncilConfiguration) -> None:
    assert [ask(api, council) for _ in range(2)] == [202, 202]
    answer = api.post(RUNS, {"question": "Why?", "council": council.slug}, content_type="application/json")

    assert answer.status_code == 429
    assert answer.json()["code"] == "throttled"
    assert answer["Retry-After"] == "36"
    assert answer["X-RateLimit-Remaining"] == "0"
    assert CouncilRun.objects.count() == 2


def test_following_a_run_does_not_cost_questions(api: Client, council: CouncilConfiguration) -> None:
    for _ in range(4):
        assert api.get(RUNS).status_code == 200

    assert ask(api, council) == 202


def test_reading_has_its_own_end(api: Client) -> None:
    assert [api.get(RUNS).status_code for _ in range(6)] == [200] * 5 + [429]


def test_two_keys_of_one_user_have_a_bucket_each(client_of: ClientOf, ada: User, council: CouncilConfiguration) -> None:
    first, second = client_of(ada), client_of(ada)
    assert [ask(first, council) for _ in range(3)] == [202, 202, 429]

    assert ask(second, council) == 202


def test_answers_say_what_is_left(api: Client) -> None:
    answer = api.get(RUNS)

    assert answer["X-RateLimit-Limit"] == "7200"
    assert answer["X-RateLimit-Remaining"] == "4"
    assert answer["X-RateLimit-Reset"].isdigit()


def test_guessing_keys_ends_soon_and_locks_nobody_else_out(client: Client, monkeypatch: pytest.MonkeyPatch, api: Client) -> None:
    monkeypatch.setattr("councils.api.authentication.failed_keys", lambda: Rule("failed-keys", 3, 300, 3))
    answers = [client.get(RUNS, headers={"authorization": f"Bearer llmc_{number}"}).status_code for number in range(5)]

    assert answers == [401, 401, 401, 429, 429]
    assert api.get(RUNS).status_code == 200


def test_what_a_key_asked_is_written_down_without_the_key(api: Client, council: CouncilConfiguration) -> None:
    ask(api, council)
    counter.flush()

    row = RateLimitLog.objects.get()
    assert row.identifier == f"key:{ApiKey.objects.get().pk}"
    assert row.endpoint.startswith("POST ")
    assert "llmc_" not in f"{row.identifier}{row.endpoint}"
