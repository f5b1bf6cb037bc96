"""JSON as strictly as a stranger's bytes deserve."""

import json
from collections.abc import Iterator
from math import isfinite
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

MAX_DEPTH = 16


class BodyTooLarge(APIException):
    """The body is over the limit."""

    status_code = 413
    default_code = "too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is too large; {limit:,} bytes are allowed.")


class StrictJSONParser(BaseParser):
    """Reads one JSON value in UTF-8.

    Refused, each with its own sentence: bodies over ``DATA_UPLOAD_MAX_MEMORY_SIZE``, NaN and infinities, keys given twice, nesting deeper
    than ``MAX_DEPTH``, whole numbers of thousands of digits, and text that no database takes (NUL, half of a surrogate pair).
    """

    media_type = "application/json"

    def parse(self, stream: IO[bytes], *_: Any, **__: Any) -> Any:
        return loads(_read(stream))


def _read(stream: IO[bytes]) -> bytes:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise BodyTooLarge(limit)
    return body


def loads(body: bytes) -> Any:
    """The value in these bytes; ``ParseError`` with a sentence where they are not acceptable."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_without_twins)
    except UnicodeDecodeError:
        raise ParseError("The body is not valid UTF-8.", "malformed") from None
    except RecursionError:
        raise ParseError("The body is nested too deeply.", "malformed") from None
    except ValueError as error:
        # A JSONDecodeError says where; the other one is Python's refusal of a number with thousands of digits.
        where = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ": a number is too long"
        raise ParseError(f"The body is not valid JSON{where}.", "malformed") from None
    for text in _texts(value):
        if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
            raise ParseError("The body holds characters that cannot be stored: NUL or half of a surrogate pair.", "invalid_text")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ParseError(f"{name} is not valid JSON.", "malformed")


def _finite(literal: str) -> float:
    number = float(literal)
    if not isfinite(number):
        raise ParseError("A number is too large.", "malformed")
    return number


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ParseError("A key is given twice in the same object.", "malformed")
    return found


def _texts(value: Any, depth: int = 1) -> Iterator[str]:
    """Every text in the value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        if depth > MAX_DEPTH:
            raise ParseError("The body is nested too deeply.", "malformed")
        if isinstance(value, dict):
            yield from value
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part, depth + 1)
