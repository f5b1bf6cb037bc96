"""The one shape of an error: ``{"code", "message", "detail"}``."""

from collections.abc import Mapping
from typing import Any, TypedDict

import orjson


class Envelope(TypedDict):
    """``code`` is for programs and never changes, ``message`` is a sentence for people, ``detail`` names fields where there are some."""

    code: str
    message: str
    detail: Mapping[str, Any]


def envelope(code: str, message: str, detail: Mapping[str, Any] | None = None) -> Envelope:
    return {"code": code, "message": message, "detail": detail or {}}


def envelope_bytes(code: str, message: str) -> bytes:
    return orjson.dumps(envelope(code, message))
