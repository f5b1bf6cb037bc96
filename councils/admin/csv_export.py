"""Rows as CSV for spreadsheets: streamed, bounded, and without anything that a spreadsheet would compute."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Any, NamedTuple

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.text import slugify
from django.utils.timezone import now

MOST_ROWS = 50_000
ROWS_AT_ONCE = 1_000
# What begins a formula, by hand or after a spreadsheet has read it: full-width forms too.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Column(NamedTuple):
    """A heading, and the path of the value from the row (``owner__username``)."""

    heading: str
    path: str


def cell(value: object) -> str:
    """A value as text. Numbers are numbers; text that would be a formula gets an apostrophe in front, and shows as it is."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        case Decimal():
            return f"{value:f}"
        case int() | float():
            return str(value)
    text = str(value).replace("\x00", "")
    return f"'{text}" if text.lstrip(" \u00a0\ufeff").startswith(FORMULA_STARTS) or text.startswith(FORMULA_STARTS) else text


def csv_response(request: HttpRequest, rows: QuerySet[Any], columns: Sequence[Column], *, name: str) -> StreamingHttpResponse:
    """At most ``MOST_ROWS`` rows in the order of the list; the last line says so where there are more. Times are UTC."""
    return _file(request, _parts(rows, columns), name)


def csv_table(request: HttpRequest, headings: Sequence[str], rows: Iterable[Sequence[object]], *, name: str) -> StreamingHttpResponse:
    """The same of rows that are computed already."""
    lines = islice(rows, MOST_ROWS)
    return _file(request, chain([_beginning(headings)], (_lines([[cell(value) for value in row]]) for row in lines)), name)


def _file(request: HttpRequest, parts: Iterator[bytes], name: str) -> StreamingHttpResponse:
    # Served asynchronously a plain iterator would be read to its end before the first byte leaves.
    content = _off_the_loop(parts) if isinstance(request, ASGIRequest) else parts
    response = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{slugify(name)}-{now():%Y-%m-%d}.csv"'
    return response


def _beginning(headings: Sequence[str]) -> bytes:
    # Spreadsheets take a file for UTF-8 that begins so.
    return "\ufeff".encode() + _lines([headings])


def _parts(rows: QuerySet[Any], columns: Sequence[Column]) -> Iterator[bytes]:
    yield _beginning([column.heading for column in columns])
    values = iter(rows.values_list(*(column.path for column in columns))[: MOST_ROWS + 1].iterator(ROWS_AT_ONCE))
    left = MOST_ROWS
    while some := list(islice(values, min(ROWS_AT_ONCE, left))):
        left -= len(some)
        yield _lines([[cell(value) for value in row] for row in some])
    if not left and next(values, None) is not None:
        yield _lines([[f"There are more. This file ends after {MOST_ROWS:,} rows: choose fewer by a filter."]])


async def _off_the_loop(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    while part := await sync_to_async(_next_of)(parts):
        yield part


def _next_of(parts: Iterator[bytes]) -> bytes:
    return next(parts, b"")


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    # All in quotes: a spreadsheet that separates by semicolons would begin a cell, and a formula, within a text.
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode()
