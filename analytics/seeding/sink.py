"""Many rows, quickly: by COPY where PostgreSQL is, by plain inserts elsewhere."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.core.management.color import no_style
from django.db import connection
from django.db.models import Field, Max, Model, QuerySet

Row = Mapping[str, Any]


class Sink:
    """Writes rows of one model. A row names what it knows; every other column gets its field's default.

    Keys are given here, counted up from what the table holds, so that rows can point at each other before they are written.
    """

    def __init__(self, model: type[Model]) -> None:
        self.model = model
        self._fields: list[Field[Any, Any]] = list(model._meta.concrete_fields)
        self._columns = [str(field.column) for field in self._fields]
        self._last = int(QuerySet(model).aggregate(last=Max("pk"))["last"] or 0)
        self._waiting: list[list[Any]] = []

    def next_pk(self) -> int:
        self._last += 1
        return self._last

    def add(self, row: Row) -> None:
        self._waiting.append([row[f.attname] if f.attname in row else f.get_default() for f in self._fields])

    def flush(self) -> int:
        """Write what waits; how many rows that were. Needs a transaction."""
        rows, self._waiting = self._waiting, []
        if rows:
            (_copy if connection.vendor == "postgresql" else _insert)(str(self.model._meta.db_table), self._columns, rows)
        return len(rows)


def finish(sinks: Iterable[Sink]) -> None:
    """Let the database count on from the keys that were given, and look at what it holds now."""
    models = [sink.model for sink in sinks]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)
        cursor.execute("ANALYZE")


def _quoted(table: str, columns: Sequence[str]) -> tuple[str, str]:
    quote = connection.ops.quote_name
    return quote(table), ", ".join(quote(column) for column in columns)


def _copy(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    name, names = _quoted(table, columns)
    # Django's cursor hands on what psycopg's own has.
    with connection.cursor() as cursor, cursor.copy(f"COPY {name} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([json.dumps(value) if isinstance(value, dict | list) else value for value in row])


def _insert(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    name, names = _quoted(table, columns)
    places = ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        statement = f"INSERT INTO {name} ({names}) VALUES ({places})"  # noqa: S608 - names of our own tables, quoted
        cursor.executemany(statement, [[_plain(value) for value in row] for row in rows])


def _plain(value: Any) -> Any:
    """As Django itself stores it where the database has no type of its own."""
    match value:
        case dict() | list():
            return json.dumps(value)
        case datetime():
            return str(value.astimezone(UTC).replace(tzinfo=None))
        case Decimal():
            return str(value)
    return value
