from collections.abc import Iterator

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from councils.models import CouncilConfiguration, RateLimitLog, User
from councils.services.counting import counter
from councils.services.limiting import buckets, changes, take
from councils.tests.factories import make_run, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def few(settings: Settings) -> Iterator[None]:
    settings.REDIS_CACHE_URL = ""
    settings.RATE_LIMIT_READ_REQUESTS, settings.RATE_LIMIT_WINDOW_SECONDS, settings.RATE_LIMIT_READ_BURST = 60, 3600, 3
    buckets.empty()
    yield
    buckets.empty()
    counter.flush()


def test_a_page_says_what_is_left(page: Client) -> None:
    answer = page.get("/conversations/")

    assert answer.status_code == 200
    assert answer["X-RateLimit-Limit"] == "60"
    assert answer["X-RateLimit-Remaining"] == "2"


def test_who_asks_for_too_many_pages_is_told_how_long_to_wait(page: Client) -> None:
    for _ in range(3):
        assert page.get("/conversations/").status_code == 200
    answer = page.get("/conversations/")

    assert answer.status_code == 429
    assert answer["Retry-After"] == "60"
    assert "60 seconds" in answer.content.decode()
    assert answer["Content-Security-Policy"]


def test_another_user_behind_the_same_address_goes_on(page: Client, council: CouncilConfiguration) -> None:
    for _ in range(5):
        page.get("/conversations/")
    other = Client()
    other.force_login(make_user("bob"))

    assert other.get("/conversations/").status_code == 200


def test_visitors_are_counted_by_address(client: Client) -> None:
    for _ in range(3):
        client.get("/sign-in/")

    assert client.get("/sign-in/").status_code == 429
    assert client.get("/sign-in/", REMOTE_ADDR="203.0.113.9").status_code == 200


def test_an_invented_forwarding_header_opens_no_new_bucket(client: Client) -> None:
    answers = [client.get("/sign-in/", headers={"X-Forwarded-For": f"203.0.113.{number}"}).status_code for number in range(5)]

    assert answers == [200, 200, 200, 429, 429]


def test_addresses_that_do_not_exist_are_counted_too(client: Client) -> None:
    assert [client.get(f"/nothing/{number}/").status_code for number in range(4)] == [404, 404, 404, 429]


def test_a_refused_post_changes_nothing(page: Client, council: CouncilConfiguration, ada: User) -> None:
    for _ in range(3):
        page.get("/conversations/")

    assert page.post("/", {"question": "Why?", "council": council.slug}).status_code == 429
    assert not ada.runs.exists()


def test_asked_and_refused_are_written_down(page: Client, ada: User) -> None:
    for _ in range(5):
        page.get("/conversations/")
    counter.flush()

    row = RateLimitLog.objects.get(identifier=f"user:{ada.pk}")
    assert (row.endpoint, row.request_count, row.blocked_count) == ("GET conversations", 5, 2)


def test_without_a_limit_nothing_is_said_and_nothing_counted(page: Client, settings: Settings) -> None:
    settings.RATE_LIMIT_READ_REQUESTS = 0

    assert "X-RateLimit-Limit" not in page.get("/conversations/")
    counter.flush()
    assert not RateLimitLog.objects.exists()


@pytest.fixture
def few_starts(settings: Settings) -> None:
    """Two questions at once, then one in 36 seconds."""
    settings.RATE_LIMIT_REQUESTS, settings.RATE_LIMIT_BURST, settings.RATE_LIMIT_READ_BURST = 100, 2, 30


def test_questions_take_from_the_bucket_of_the_api_and_the_text_is_kept(
    page: Client, council: CouncilConfiguration, ada: User, few_starts: None
) -> None:
    take(changes(), f"user:{ada.pk}")
    first = page.post("/", {"question": "Why?", "council": council.slug})
    second = page.post("/", {"question": "And why not?", "council": council.slug})

    assert (first.status_code, first["X-RateLimit-Remaining"]) == (302, "0")
    assert (second.status_code, second["X-RateLimit-Limit"], second["Retry-After"]) == (429, "100", "36")
    assert "Wait 36 seconds, then send it again." in second.text
    assert ">And why not?</textarea>" in second.text
    assert ada.runs.count() == 1


def test_follow_ups_take_from_the_same_bucket(page: Client, council: CouncilConfiguration, ada: User, few_starts: None) -> None:
    run = make_run(owner=ada, council=council)
    for _ in range(2):
        take(changes(), f"user:{ada.pk}")
    refused = page.post(f"/conversations/{run.conversation.public_id}/", {"question": "And then?", "council": council.slug})

    assert refused.status_code == 429
    assert ">And then?</textarea>" in refused.text
    assert ada.runs.count() == 1


@pytest.mark.parametrize("way", ["again", "regenerate", "retry"])
def test_further_tries_take_from_the_same_bucket(
    page: Client, council: CouncilConfiguration, ada: User, few_starts: None, way: str
) -> None:
    run = make_run(owner=ada, council=council)
    for _ in range(2):
        take(changes(), f"user:{ada.pk}")
    refused = page.post(f"/runs/{run.public_id}/{way}/", follow=True)

    assert "You have asked as often as this site allows for now." in refused.text
    assert ada.runs.count() == 1


def test_a_form_that_was_taken_already_leads_to_its_run_however_often_it_is_sent(
    page: Client, council: CouncilConfiguration, ada: User, few_starts: None
) -> None:
    form = {"question": "Why?", "council": council.slug, "nonce": "0123456789abcdef0123456789abcdef"}
    answers = [page.post("/", form) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [302] * 4
    assert len({answer["Location"] for answer in answers}) == 1
    assert ada.runs.count() == 1


def test_small_forms_do_not_cost_questions(page: Client, council: CouncilConfiguration, ada: User, few_starts: None) -> None:
    for _ in range(5):
        assert page.post("/theme/", {"theme": "dark"}).status_code < 400

    assert page.post("/", {"question": "Why?", "council": council.slug}).status_code == 302


def test_a_question_that_is_refused_is_written_down_once(page: Client, council: CouncilConfiguration, ada: User, few_starts: None) -> None:
    for number in range(3):
        page.post("/", {"question": f"Question {number}", "council": council.slug})
    counter.flush()

    row = RateLimitLog.objects.get(identifier=f"user:{ada.pk}")
    assert (row.endpoint, row.request_count, row.blocked_count) == ("POST ask", 3, 1)
