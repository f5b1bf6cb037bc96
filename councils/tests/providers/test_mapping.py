import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from councils.engine.errors import (
    DETAIL_LIMIT,
    AuthenticationFailed,
    BadRequest,
    ContextTooLong,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    StructureUnsupported,
)
from councils.providers.faults import clean_detail, from_event, from_response, retry_after
from councils.tests.providers.support import KEY

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, BadRequest),
        (302, BadRequest),
        (307, BadRequest),
        (400, BadRequest),
        (401, AuthenticationFailed),
        (402, AuthenticationFailed),
        (403, AuthenticationFailed),
        (404, BadRequest),
        (405, BadRequest),
        (408, ProviderUnavailable),
        (413, ContextTooLong),
        (422, BadRequest),
        (429, RateLimited),
        (500, ProviderUnavailable),
        (503, ProviderUnavailable),
        (529, ProviderUnavailable),
        (599, ProviderUnavailable),
    ],
)
def test_a_status_means_one_error(status: int, error: type[ProviderError]) -> None:
    assert type(from_response(status, {}, b"")) is error


def test_a_redirect_says_that_it_was_not_followed_and_not_where_to() -> None:
    error = from_response(302, {"location": "http://169.254.169.254/"}, b"moved to http://169.254.169.254/")

    assert error.detail == "HTTP 302: redirects are not followed."


@pytest.mark.parametrize(
    "said",
    [
        {"error": {"message": "This model's maximum context length is 8192 tokens.", "code": "context_length_exceeded"}},
        {"error": {"code": 400, "message": "the request exceeds the available context size", "type": "exceed_context_size_error"}},
        {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 213462 tokens > 200000 maximum"}},
        {"error": "input is too long for requested model"},
    ],
)
def test_a_prompt_that_does_not_fit_is_known_from_what_servers_say(said: dict[str, Any]) -> None:
    assert type(from_response(400, {}, orjson.dumps(said))) is ContextTooLong


@pytest.mark.parametrize(
    "said",
    [
        "'response_format' of type 'json_schema' is not supported with this model",
        "failed to parse grammar",
        "this model does not support tools",
    ],
)
def test_a_missing_structured_mode_is_known_only_where_one_was_asked_for(said: str) -> None:
    body = orjson.dumps({"error": {"message": said}})

    assert type(from_response(400, {}, body, structured=True)) is StructureUnsupported
    assert type(from_response(400, {}, body, structured=False)) is BadRequest


def test_an_empty_account_is_not_a_queue_to_wait_in() -> None:
    body = orjson.dumps({"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}})

    assert type(from_response(429, {}, body)) is AuthenticationFailed


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"message": "no such model", "type": "x"}}',
        b'{"error": "no such model"}',
        b'{"message": "no such model"}',
        b'{"detail": "no such model"}',
        b'{"detail": {"error": {"message": "no such model"}}}',
        b"no such model",
    ],
)
def test_the_message_is_found_wherever_a_server_puts_it(body: bytes) -> None:
    assert from_response(404, {}, body).detail.startswith("HTTP 404: no such model")


def test_the_key_is_masked_before_the_detail_is_cut() -> None:
    body = orjson.dumps({"error": {"message": "x" * (DETAIL_LIMIT - 20) + KEY + "tail"}})

    error = from_response(401, {}, body, secrets=[KEY])

    assert not any(KEY[:length] in error.detail for length in range(8, len(KEY)))


def test_a_key_split_by_a_control_character_is_masked_where_it_closes_again() -> None:
    assert KEY not in clean_detail(KEY, [KEY])


def test_control_characters_never_reach_a_log() -> None:
    assert clean_detail("a\r\nFAKE LOG LINE\x1b[31m\u202e\x00b", ()) == "a FAKE LOG LINE [31m b"


@given(st.integers(300, 599), st.dictionaries(st.just("retry-after"), st.text()), st.binary())
def test_no_answer_is_too_strange_to_become_an_error_of_ours(status: int, headers: dict[str, str], body: bytes) -> None:
    error = from_response(status, headers, body, secrets=[KEY], structured=True)

    assert isinstance(error, ProviderError)
    assert error.detail.isprintable()


@pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("7", 7), (" 7 ", 7), ("1.5", 1.5), ("86400", 86400), (None, None)])
def test_a_wait_in_seconds_is_taken_as_it_is(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, now=NOW) == seconds


def test_a_wait_until_a_date_is_counted_from_now() -> None:
    assert retry_after(format_datetime(NOW + timedelta(seconds=42), usegmt=True), now=NOW) == 42


def test_a_date_that_has_passed_is_no_wait() -> None:
    assert retry_after(format_datetime(NOW - timedelta(hours=1), usegmt=True), now=NOW) == 0


@pytest.mark.parametrize("value", ["soon", "", "-5", "nan", "Fri, 99 Foo 2026", "Fri, 31 Dec 9999999 23:59:59 GMT", "1e400"])
def test_a_wait_that_cannot_be_read_is_endless(value: str) -> None:
    assert retry_after(value, now=NOW) == math.inf


@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_travels_with_the_error(status: int) -> None:
    error = from_response(status, {"retry-after": "7"}, b"")

    assert isinstance(error, RateLimited | ProviderUnavailable)
    assert error.retry_after_s == 7


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, ProviderUnavailable),
        ({"type": "rate_limit_error"}, RateLimited),
        ({"code": 429, "message": "slow"}, RateLimited),
        ({"code": "rate_limit_exceeded"}, RateLimited),
        ({"code": 502, "message": "bad gateway"}, ProviderUnavailable),
        ({"type": "authentication_error"}, AuthenticationFailed),
        ({"type": "invalid_request_error", "message": "no"}, BadRequest),
        ({"type": "invalid_request_error", "code": "context_length_exceeded", "message": "maximum context"}, ContextTooLong),
        ("it broke", ProviderUnavailable),
        ({}, ProviderUnavailable),
        (["odd"], ProviderUnavailable),
        ({"code": True}, ProviderUnavailable),
    ],
)
def test_an_error_inside_a_stream_means_what_its_words_say(said: Any, error: type[ProviderError]) -> None:
    assert type(from_event(said)) is error
