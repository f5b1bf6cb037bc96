"""The one shape of an error: ``{"code", "message", "detail", "request_id"}``."""

from collections.abc import Mapping
from typing import Any, TypedDict

import orjson

from councils.telemetry import scope


class Envelope(TypedDict):
    """``code`` is for programs and never changes, ``message`` is a sentence for people, ``detail`` names fields where there are some.

    ``request_id`` is what the log calls the request: whoever asks for help tells it.
    """

    code: str
    message: str
    detail: Mapping[str, Any]
    request_id: str


def envelope(code: str, message: str, detail: Mapping[str, Any] | None = None) -> Envelope:
    return {"code": code, "message": message, "detail": detail or {}, "request_id": scope.current("request")}


def envelope_bytes(code: str, message: str) -> bytes:
    return orjson.dumps(envelope(code, message))
