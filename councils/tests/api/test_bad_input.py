"""Bodies, queries and addresses that a stranger may send: each gets a sentence in the envelope, never a crash, never HTML."""

from collections.abc import Iterator

import pytest
from django.db import InternalError, OperationalError
from django.test import Client
from psycopg.errors import ReadOnlySqlTransaction
from pytest_django import Settings

from councils.api import errors
from councils.api.parsers import MAX_DEPTH
from councils.models import CouncilConfiguration, CouncilRun
from councils.tests.api.conftest import Answer

RUNS = "/api/v1/runs/"
MISSING = "a" * 26


def post(api: Client, body: bytes | str, content_type: str = "application/json") -> Answer:
    return api.post(RUNS, body, content_type=content_type)


def is_envelope(answer: Answer) -> bool:
    return answer.headers["Content-Type"] == "application/json" and list(answer.json()) == ["code", "message", "detail", "request_id"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"question": "Why', "The body is not valid JSON at line 1, column 14."),
        ("", "The body is not valid JSON at line 1, column 1."),
        (b'{"question": "\xff"}', "The body is not valid UTF-8."),
        ('{"question": NaN}', "NaN is not valid JSON."),
        ('{"question": -Infinity}', "-Infinity is not valid JSON."),
        ('{"question": 1e999}', "A number is too large."),
        ('{"question": ' + "9" * 5000 + "}", "The body is not valid JSON: a number is too long."),
        ('{"question": "a", "question": "b"}', "A key is given twice in the same object."),
        ('{"question": ' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}", "The body is nested too deeply."),
        ("[" * 100_000, "The body is nested too deeply."),
        ('{"question": "a\\u0000b"}', "The body holds characters that cannot be stored: NUL or half of a surrogate pair."),
        ('{"question": "\\ud83c"}', "The body holds characters that cannot be stored: NUL or half of a surrogate pair."),
        ('{"\\u0000": 1}', "The body holds characters that cannot be stored: NUL or half of a surrogate pair."),
    ],
)
def test_json_that_is_not_sound_is_refused_with_a_sentence(
    api: Client, council: CouncilConfiguration, body: bytes | str, message: str
) -> None:
    # An empty text would send no body at all.
    answer = post(api, body or " ")

    assert answer.status_code == 400
    assert is_envelope(answer)
    assert answer.json()["message"].replace("column 2", "column 1") == message
    assert not CouncilRun.objects.exists()


@pytest.mark.parametrize("body", ["[]", '"question"', "7", "null", "true"])
def test_a_body_that_is_no_object_is_refused(api: Client, council: CouncilConfiguration, body: str) -> None:
    answer = post(api, body)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


@pytest.mark.parametrize("value", ["7", "true", "null", "[]", '{"text": "Why?"}', "1.5"])
@pytest.mark.parametrize("field", ["question", "council", "conversation"])
def test_a_text_field_takes_text_only(api: Client, council: CouncilConfiguration, field: str, value: str) -> None:
    fields = {"question": '"Why?"', field: value}

    answer = post(api, "{" + ", ".join(f'"{name}": {text}' for name, text in fields.items()) + "}")

    assert answer.status_code == 400
    assert list(answer.json()["detail"]) == [field]


def test_unknown_fields_are_named(api: Client, council: CouncilConfiguration) -> None:
    answer = post(api, '{"question": "Why?", "owner": 1, "status": "succeeded"}')

    assert answer.status_code == 400
    assert answer.json()["message"] == "Check these fields: owner, status."
    assert not CouncilRun.objects.exists()


def test_a_flood_of_unknown_fields_gives_a_short_answer(api: Client) -> None:
    answer = post(api, "{" + ", ".join(f'"{"x" * 200}{number}": 1' for number in range(1000)) + "}")

    assert answer.status_code == 400
    assert len(answer.content) < 10_000


def test_a_body_over_the_limit_is_refused_before_it_is_read(api: Client, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

    assert post(api, '{"question": "' + "x" * 90 + '"}').json()["code"] == "too_large"
    assert post(api, '{"question": "' + "x" * 90 + '"}').status_code == 413


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "nonsense"])
def test_other_kinds_of_bodies_are_refused(api: Client, content_type: str) -> None:
    answer = post(api, "question=Why", content_type)

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=-1",
        "page=abc",
        "page=99999999999999999999999",
        "page=1e3",
        "page_size=0",
        "page_size=101",
        "page_size=",
        "page=%00",
        "status=done",
        "status=%00",
        "conversation=%00",
        "conversation=../../etc",
        "sort=owner",
        "owner=1",
    ],
)
def test_an_absurd_query_gets_a_clear_answer(api: Client, query: str) -> None:
    answer = api.get(f"{RUNS}?{query}")

    assert answer.status_code == 400
    assert list(answer.json()["detail"]) == [query.split("=", maxsplit=1)[0]]


def test_a_page_beyond_the_end_is_not_there(api: Client) -> None:
    answer = api.get(f"{RUNS}?page=2")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("query", ["after=-1", "after=9223372036854775808", "after=x", "limit=0", "limit=501", "wait=10"])
def test_events_are_asked_for_within_bounds(api: Client, query: str) -> None:
    answer = api.get(f"{RUNS}{MISSING}/events/?{query}")

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "address",
    [
        "/api/",
        "/api/v2/runs/",
        "/api/v1/",
        "/api/v1/nothing/",
        f"{RUNS}1/",
        f"{RUNS}{MISSING.upper()}/",
        f"{RUNS}{MISSING}/nothing/",
        f"{RUNS}%00/",
        "/api/v1/councils/%00/",
        "/api/v1/models/here/%00/",
        "/api/v1/models/here/a%0Ab/",
        "/api/v1/models/here/%FF/",
        "/api/v1/councils/..%2f..%2fadmin/",
    ],
)
def test_an_address_where_nothing_is_says_so_in_the_envelope(api: Client, address: str) -> None:
    answer = api.get(address)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert is_envelope(answer)


def test_a_forgotten_slash_is_pointed_out(api: Client) -> None:
    assert api.post("/api/v1/runs", "{}", content_type="application/json").json()["message"].endswith("Did you mean /api/v1/runs/?")
    assert "mean" not in api.get("/api/v1/nothing").json()["message"]


def test_a_wrong_method_says_which_are_right(api: Client) -> None:
    answer = api.put(RUNS, "{}", content_type="application/json")

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_an_answer_in_another_form_cannot_be_had(api: Client) -> None:
    answer = api.get(RUNS, headers={"accept": "text/html"})

    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


def test_a_foreign_host_gets_the_envelope_too(api: Client) -> None:
    answer = api.get(RUNS, headers={"host": "evil.example"})

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert is_envelope(answer)


@pytest.fixture
def broken_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: object) -> Iterator[object]:
        raise OperationalError("connection refused")

    monkeypatch.setattr("councils.api.runs.RunViewSet.get_queryset", away)


@pytest.mark.usefixtures("broken_database")
def test_a_database_that_is_away_is_said_and_when_to_come_back(api: Client, caplog: pytest.LogCaptureFixture) -> None:
    answer = api.get(RUNS)

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == str(errors.RETRY_AFTER_S)
    assert "connection refused" not in answer.content.decode()
    assert "connection refused" in caplog.text


def test_a_database_that_may_only_be_read_is_away(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: object) -> None:
        raise InternalError("read-only") from ReadOnlySqlTransaction()

    monkeypatch.setattr("councils.api.runs.RunViewSet.get_queryset", refused)

    assert api.get(RUNS).status_code == 503


def test_a_crash_is_told_without_its_cause(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr("councils.api.runs.RunViewSet.get_queryset", crash)
    api.raise_request_exception = False

    answer = api.get(RUNS)

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert is_envelope(answer)
    assert "secret" not in answer.content.decode()


def test_answers_are_not_kept_by_caches(api: Client) -> None:
    assert api.get(RUNS).headers["Cache-Control"] == "no-store"
    assert api.get("/api/v1/nothing/").headers["Cache-Control"] == "no-store"
