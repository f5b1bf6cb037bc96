"""What a provider answers instead of an answer, as one of our errors.

Providers agree on status codes and on little else: the body is JSON or not, the message sits in one of four places, and "your prompt is
too long" is told in prose. What is read from prose here only chooses between errors that are all safe to act on.
"""

import math
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import orjson

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
from councils.providers.redaction import hide

# Looked for in what a provider says, lower case.
TOO_LONG = (
    "context length",
    "context_length",
    "context window",
    "context size",
    "context_size",
    "maximum context",
    "prompt is too long",
    "prompt too long",
    "input is too long",
    "too many tokens",
    "reduce the length",
    "request_too_large",
)
NO_STRUCTURE = (
    "response_format",
    "json_schema",
    "json_object",
    "json mode",
    "structured output",
    "output_config",
    "tool_choice",
    "tool use",
    "tools",
    "grammar",
    "invalid format",
)
# Worth another try although they are no 5xx: request timeout, conflict, too early.
TRANSIENT = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY})
# No money on the account: no retry helps, and the same people must act as for a bad key.
NO_CREDIT = ("insufficient_quota", "billing_hard_limit", "credit balance is too low")
STATUS_OF_NAME = {
    "rate_limit": 429,
    "too_many_requests": 429,
    "overloaded": 529,
    "authentication": 401,
    "invalid_api_key": 401,
    "permission": 403,
    "not_found": 404,
    "invalid_request": 400,
    "context_length_exceeded": 400,
}


def clean_detail(text: str, secrets: Sequence[str]) -> str:
    """``text`` fit for people and logs: secrets masked, control and format characters gone, one line, short."""
    # The mask comes before the cut, which could leave half a key standing.
    visible = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in hide(text, secrets)[: DETAIL_LIMIT * 4])
    return hide(" ".join(visible.split()), secrets)[:DETAIL_LIMIT]


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """Seconds to wait by a ``Retry-After`` header (RFC 9110, 10.2.3: seconds or a date); ``None`` where there is no header.

    Infinite where the header says something unreadable: the provider wants us to wait, and we do not know how long.
    """
    if value is None:
        return None
    text = value.strip()
    try:
        seconds = float(text)
    except ValueError:
        return _seconds_until(text, now=now)
    return seconds if seconds >= 0 else math.inf


def _seconds_until(text: str, *, now: datetime) -> float:
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return math.inf
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


def from_response(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    secrets: Sequence[str] = (),
    structured: bool = False,
    now: datetime | None = None,
) -> ProviderError:
    """The error that an HTTP answer other than 2xx means. ``structured`` says that JSON was demanded with the request."""
    said = said_by(body)
    wait = retry_after(headers.get("retry-after"), now=now or datetime.now(UTC))
    return _error(status, said, detail=clean_detail(f"HTTP {status}: {said}", secrets), wait=wait, structured=structured)


def from_event(error: Any, *, secrets: Sequence[str] = ()) -> ProviderError:
    """The error that an error object inside a stream means; without a better hint, a fault of the provider."""
    said = _said_in(error) or "The provider reported an error without a message."
    return _error(_status_hint(error), said, detail=clean_detail(said, secrets), wait=None, structured=False)


def _error(status: int, said: str, *, detail: str, wait: float | None, structured: bool) -> ProviderError:
    words = said.lower()
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PAYMENT_REQUIRED) or _any_in(NO_CREDIT, words):
        return AuthenticationFailed(detail)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(detail, retry_after_s=wait)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in TRANSIENT:
        return ProviderUnavailable(detail, retry_after_s=wait)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return BadRequest(f"HTTP {status}: redirects are not followed.")
    return _bad_request(status, words, detail=detail, structured=structured)


def _bad_request(status: int, words: str, *, detail: str, structured: bool) -> BadRequest:
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or _any_in(TOO_LONG, words):
        return ContextTooLong(detail)
    if structured and _any_in(NO_STRUCTURE, words):
        return StructureUnsupported(detail)
    return BadRequest(detail)


def _any_in(markers: Sequence[str], words: str) -> bool:
    return any(marker in words for marker in markers)


def said_by(body: bytes) -> str:
    """What the body of an error says, wherever it says it; the body itself where it is no JSON."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")
    return _said_in(content) or body.decode("utf-8", "replace")


def _said_in(content: Any) -> str:
    """Type, code and message of an error object in any of the usual shapes; the code matters to tell errors apart."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Mapping):
        return ""
    for name in ("error", "detail"):
        if inner := _said_in(content.get(name)):
            return inner
    parts = (content.get(name) for name in ("message", "type", "code"))
    return " ".join(dict.fromkeys(part for part in parts if isinstance(part, str) and part))


def _status_hint(error: Any) -> int:
    if not isinstance(error, Mapping):
        return HTTPStatus.INTERNAL_SERVER_ERROR
    code = error.get("code") or error.get("status")
    if isinstance(code, int) and not isinstance(code, bool) and HTTPStatus.BAD_REQUEST <= code < 600:
        return code
    names = f"{error.get('type')} {error.get('code')}".lower()
    return next((status for name, status in STATUS_OF_NAME.items() if name in names), HTTPStatus.INTERNAL_SERVER_ERROR.value)
