"""The audit trail: what a change has changed, field by field, written in the transaction of the change.

Whoever changes configuration, money, people or keys does it within ``audited`` (rows that are known), ``audited_tables`` (rows that are
not), or says ``record_created``. All compare what the database holds before and after, so that an ``update()`` is seen like a ``save()``.
Where one is inside another, the outer one records: no change is told twice.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import Group
from django.db import router, transaction
from django.db.models import Model
from django.db.models.deletion import Collector
from django.utils.functional import SimpleLazyObject

from councils.acting import present
from councils.models import (
    ApiKey,
    AuditEntry,
    AuditVerb,
    Budget,
    CouncilConfiguration,
    CouncilDraft,
    ModelInfo,
    PromptTemplate,
    Provider,
    QuestionSet,
    User,
)
from councils.secret_names import looks_secret
from councils.services.picturing import Picture, RowId, Values, fresh, picture_of, pictures_of, pictures_of_tables, row_id

SECRETS = frozenset({"password", "api_key_sealed", "sealed_keys", "key_hash"})

KINDS: frozenset[type[Model]] = frozenset(
    (ApiKey, Budget, CouncilConfiguration, CouncilDraft, Group, ModelInfo, PromptTemplate, Provider, QuestionSet, User)
)
"""Records that are told of where they go along with another one."""

LONGEST = 20_000
_USER_INFO = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class _Watch:
    """What somebody outside records already."""

    rows: frozenset[RowId] = field(default_factory=frozenset)
    tables: frozenset[str] = field(default_factory=frozenset)
    everything: bool = False

    def covers(self, row: RowId) -> bool:
        return row in self.rows or self.covers_table(row[0])

    def covers_table(self, kind: str) -> bool:
        return self.everything or kind in self.tables


_NOTHING_WATCHED = _Watch()
_watched: ContextVar[_Watch] = ContextVar("audit_watch", default=_NOTHING_WATCHED)


@contextmanager
def audited(rows: Iterable[Model], *, note: str = "") -> Iterator[None]:
    """Record what happens inside to these rows. The block is one transaction with its entries."""
    with transaction.atomic():
        watch = _watched.get()
        mine = [row for row in rows if not watch.covers(row_id(row))]
        stored = pictures_of((row._meta.model, row.pk) for row in mine)
        before = {row_id(row): (row._meta.model, stored.get(row_id(row)) or picture_of(row)) for row in mine}
        token = _watched.set(replace(watch, rows=watch.rows | before.keys()))
        try:
            yield
        finally:
            _watched.reset(token)
        after = pictures_of((model, row[1]) for row, (model, _) in before.items())
        _compare({row: picture for row, (_, picture) in before.items()}, after, note)


@contextmanager
def audited_tables(*models: type[Model], note: str = "") -> Iterator[None]:
    """Record what happens inside to any row of these tables, new ones too. For tables of a few hundred rows."""
    with transaction.atomic():
        watch = _watched.get()
        mine = [model for model in models if not watch.covers_table(model._meta.label_lower)]
        before = pictures_of_tables(mine)
        token = _watched.set(replace(watch, tables=watch.tables | {model._meta.label_lower for model in mine}))
        try:
            yield
        finally:
            _watched.reset(token)
        _compare(before, pictures_of_tables(mine), note)


@contextmanager
def taken_back() -> Iterator[None]:
    """Whatever happens inside is undone at its end. So nothing is recorded, and no time is spent on looking for changes."""
    with transaction.atomic():
        token = _watched.set(_Watch(everything=True))
        try:
            yield
        finally:
            _watched.reset(token)
        transaction.set_rollback(True)


@contextmanager
def watching(row: Model) -> Iterator[None]:
    """Whoever opens this records the row by themselves: services inside keep silent about it."""
    watch = _watched.get()
    token = _watched.set(replace(watch, rows=watch.rows | {row_id(row)}))
    try:
        yield
    finally:
        _watched.reset(token)


def doomed(rows: Sequence[Model]) -> list[Model]:
    """These rows and all other records that would be deleted with them."""
    if not rows:
        return []
    collector = Collector(using=router.db_for_write(rows[0]._meta.model))
    collector.collect(rows)
    # Tables that nobody tells of are not read: all events of all runs of a user may be among them.
    found = [row for model, some in collector.data.items() if model in KINDS for row in some]
    found += [row for some in collector.fast_deletes if some.model in KINDS for row in some]
    named = set(rows)
    return [*rows, *(row for row in found if row not in named)]


def is_watched(row: Model) -> bool:
    """Whether somebody outside records this row."""
    return _watched.get().covers(row_id(row))


def record_created(row: Model, *, note: str = "") -> None:
    """A new record with what it was given."""
    kind, pk = row_id(row)
    if _watched.get().covers((kind, pk)):
        return
    picture = picture_of(fresh(row) or row)
    _write(AuditVerb.CREATED, (kind, pk), picture.name, _difference({}, picture.values), note)


def record_deed(row: Model, note: str) -> None:
    """Something that was done to a record and is no change of its fields, in words."""
    kind, pk = row_id(row)
    _write(AuditVerb.DID, (kind, pk), str(row), {}, note)


def record_deed_to(model: type[Model], name: str, note: str) -> None:
    """Something that was done to many rows of a table at once, in words. ``name`` says to which."""
    _write(AuditVerb.DID, (model._meta.label_lower, ""), name, {}, note)


def _compare(before: Mapping[RowId, Picture], after: Mapping[RowId, Picture], note: str) -> None:
    """Record what has become of these rows; nothing of those that are as they were."""
    signed: Values = {}
    for row in {**before, **after}:
        old, new = before.get(row), after.get(row)
        changes = _difference(old.values if old else {}, new.values if new else {})
        # A record that is gone is told of even where nothing stood in it.
        if changes or new is None:
            signed = signed or _signed()
            _write(_verb(old, new), row, _name(old, new), changes, note, signed=signed)


def _verb(old: Picture | None, new: Picture | None) -> AuditVerb:
    if new is None:
        return AuditVerb.DELETED
    return AuditVerb.CREATED if old is None else AuditVerb.CHANGED


def _name(old: Picture | None, new: Picture | None) -> str:
    picture = new or old
    return picture.name if picture else ""


def _difference(before: Values, after: Values) -> dict[str, list[Any]]:
    """The fields that differ. A new or deleted record tells only what is not empty."""
    found = {}
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old != new and not (_is_empty(old) and _is_empty(new)):
            found[name] = _veiled(old, new) if _is_secret(name) else [_plain(old), _plain(new)]
    return found


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _is_secret(name: str) -> bool:
    column = name.rpartition(": ")[2]
    return column in SECRETS or looks_secret(column)


def _veiled(old: Any, new: Any) -> list[str]:
    """Of a secret only whether it was there, and that it is another one."""
    return ["set" if old else "not set", ("changed" if old else "set") if new else "not set"]


def _plain(value: Any) -> Any:
    """A value as JSON holds it and people read it."""
    plain: Any = _storable(str(value))
    match value:
        case None | bool() | int() | float():
            plain = value
        case Decimal():
            plain = f"{value.normalize():f}"
        case datetime() | date():
            plain = value.isoformat()
        case Mapping():
            plain = {_storable(str(name)): "[secret]" if looks_secret(str(name)) else _plain(inner) for name, inner in value.items()}
        case str():
            plain = _USER_INFO.sub("[secret]@", _storable(value))[:LONGEST]
        case Sequence():
            plain = [_plain(inner) for inner in value]
    return plain


def _storable(text: str) -> str:
    """Without the one character that PostgreSQL refuses. Its name in six characters, as code has it, is a text like any other."""
    return text.replace("\x00", "")


def _signed() -> dict[str, Any]:
    """Who acts now, as entries name them."""
    who = present()
    user = who.who()
    if isinstance(user, SimpleLazyObject):
        user = User.objects.filter(pk=user.pk).first()
    known = user if isinstance(user, User) else None
    return {"actor": known, "actor_name": known.get_username() if known else who.name or who.door.value, "door": who.door.value}


def _write(verb: AuditVerb, row: RowId, name: str, changes: Mapping[str, Any], note: str, *, signed: Values | None = None) -> None:
    # Through JSON once, so that what cannot be stored fails here and not half-way in the database.
    stored = json.loads(json.dumps(changes, default=str))
    AuditEntry.objects.create(
        **(signed or _signed()),
        verb=verb.value,
        kind=row[0],
        object_id=row[1],
        object_name=_storable(name)[:200],
        changes=stored,
        note=note,
    )
