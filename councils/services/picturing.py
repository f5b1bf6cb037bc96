"""Pictures of records: every field that a person has set, with the rows that are part of them, as the database holds them now.

The audit trail compares two of them. Many are read in a few queries.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Field, ForeignKey, Model, Prefetch, QuerySet

from councils.models import CouncilConfiguration, ModelInfo, Provider, QuestionSet, User

# What no person has set: the product keeps these by itself.
OWN_BUSINESS = frozenset({
    "id", "public_id", "created_at", "updated_at", "last_login", "date_joined", "problem", "problem_at",
    "date_changed", "last_run_at", "total_run_count",
})  # fmt: skip
PREFERENCES = frozenset({"language", "theme", "default_council"})
"""What people choose for themselves in their settings."""

PARTS: Mapping[type[Model], tuple[str, ...]] = {
    CouncilConfiguration: ("members", "chairman_fallbacks"),
    Provider: ("endpoints",),
    QuestionSet: ("questions",),
}
"""Rows that are told of as parts of another, by the names of their relations."""

NAMED_WITH: Mapping[type[Model], tuple[str, ...]] = {ModelInfo: ("provider",), Permission: ("content_type",)}
"""Records whose names are made of another one's."""

READ_AT_ONCE = 500

Values = Mapping[str, Any]
RowId = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Picture:
    """One record at one moment."""

    name: str
    values: Values


def row_id(row: Model) -> RowId:
    """How entries name a record: its table and its key. Proxies are their table."""
    concrete = row._meta.concrete_model or row._meta.model
    return concrete._meta.label_lower, str(row.pk)


def picture_of(row: Model) -> Picture:
    """The record as the database holds it now, with its parts."""
    return Picture(str(row), dict(_values(row)))


def pictures_of_tables(models: Iterable[type[Model]]) -> dict[RowId, Picture]:
    """Every row of these tables. For tables of a few hundred rows."""
    return {row_id(row): picture_of(row) for model in models for row in _whole(model._meta.base_manager.order_by("pk"))}


def pictures_of(rows: Iterable[tuple[type[Model], Any]]) -> dict[RowId, Picture]:
    """The rows with these keys as the database holds them now, in a few queries for however many."""
    keys: dict[type[Model], list[Any]] = defaultdict(list)
    for model, pk in rows:
        if pk is not None:
            keys[model].append(pk)
    found: dict[RowId, Picture] = {}
    for model, pks in keys.items():
        for start in range(0, len(pks), READ_AT_ONCE):
            some = model._meta.base_manager.filter(pk__in=pks[start : start + READ_AT_ONCE])
            found |= {row_id(row): picture_of(row) for row in _whole(some)}
    return found


def _whole(rows: QuerySet[Any]) -> QuerySet[Any]:
    """These rows along with all that their pictures show of others."""
    meta = rows.model._meta
    joined: list[str] = []
    for column in meta.concrete_fields:
        if isinstance(column, ForeignKey) and column.name not in OWN_BUSINESS:
            joined += [column.name, *(f"{column.name}__{name}" for name in NAMED_WITH.get(column.related_model, ()))]
    named = [Prefetch(many.name, queryset=_named(many.related_model._meta.default_manager.all())) for many in meta.many_to_many]
    parts = PARTS.get(meta.concrete_model or rows.model, ())
    told = [Prefetch(name, queryset=_whole(meta.get_field(name).related_model._meta.default_manager.all())) for name in parts]
    # Without a name it would join every table that it can.
    return (rows.select_related(*joined) if joined else rows).prefetch_related(*named, *told)


def _named(rows: QuerySet[Any]) -> QuerySet[Any]:
    joined = NAMED_WITH.get(rows.model, ())
    return rows.select_related(*joined) if joined else rows


def fresh(row: Model) -> Model | None:
    """The row as the database holds it now; ``None`` where it is gone."""
    return row._meta.model._meta.base_manager.filter(pk=row.pk).first()


def _values(row: Model) -> Iterator[tuple[str, Any]]:
    left_out = OWN_BUSINESS | (PREFERENCES if isinstance(row, User) else frozenset())
    for column in row._meta.concrete_fields:
        if column.name not in left_out:
            yield column.name, _value(row, column)
    for many in row._meta.many_to_many:
        yield many.name, sorted(str(other) for other in getattr(row, many.name).all())
    for part in _parts(row):
        told = ((name, value) for name, value in _values(part) if not _leads_to(part, name, row))
        yield from ((f"{part._meta.verbose_name} {part.pk}: {name}", value) for name, value in told)


def _parts(row: Model) -> Iterator[Model]:
    for relation in PARTS.get(row._meta.concrete_model or row._meta.model, ()):
        yield from getattr(row, relation).all()


def _leads_to(part: Model, name: str, whole: Model) -> bool:
    column = part._meta.get_field(name)
    return isinstance(column, ForeignKey) and isinstance(whole, column.remote_field.model)


def _value(row: Model, column: "Field[Any, Any]") -> Any:
    if isinstance(column, ForeignKey):
        related = getattr(row, column.name, None) if getattr(row, column.attname) is not None else None
        return None if related is None else str(related)
    return getattr(row, column.attname)
