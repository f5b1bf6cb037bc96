"""Reads usage into reports: what models were asked in some days, by whom, of which council, seat and model, and what it cost.

Days that are over are read from the roll-ups, whatever their number. They tell apart who asked, and which seat and model answered, but
not both at once: for that, as for the days that are not summed up yet, single calls are added up, of few days only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

from django.conf import settings
from django.db.models import Max, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from analytics.days import DAY
from analytics.models import AggregationMark, SeatUsage, UserUsage
from analytics.models.usage import Usage
from analytics.usage_lines import KEYS, MOST, SUMMED, Line, merged
from analytics.usage_sums import SEAT_KEYS, SUM, USER_KEYS, added_up, calls_between
from analytics.usage_words import Asked, By, Chosen

RAW_DAYS = 31
"""So many days are read from single calls at most."""
RAW_DAYS_OF_MANY = 7
"""So many days of more than ``FEW_USERS``, where only single calls tell: a week of a busy place takes longer than years of its roll-ups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The dearest line first, or the newest day. ``note`` says where single calls had to be read, and which days are missing then."""

    asked: Asked
    lines: Sequence[Line]
    total: Line
    note: str


_PLACES: Mapping[str, Any] = {**USER_KEYS, **SEAT_KEYS, "day": TruncDate("created_at", tzinfo=UTC)}
"""Where a call has them."""
_ON_BOTH = frozenset({By.COUNCIL, By.DAY})
APART = "Who asked, and which seat or model answered, are summed up apart. For both at once single calls are read: {days} days at most."
OFF = f"Analytics are switched off (ENABLE_ANALYTICS), so that single calls are read: {RAW_DAYS} days at most."
BEHIND = (
    f"Not all days are summed up yet, so that single calls are read: {RAW_DAYS} days at most. Hourly work sums them up by itself; "
    '"Run now" of aggregate_model_analytics, in Periodic tasks, does it at once.'
)


def report(asked: Asked) -> Report:
    """In a constant number of queries."""
    table, until, chosen = _table(asked), _summed_until(), Chosen.by(asked)
    summed = max(until, asked.first) if table and until else asked.first
    is_wide = table is None and settings.ENABLE_ANALYTICS and chosen.is_many
    raw_days = RAW_DAYS_OF_MANY if is_wide else RAW_DAYS
    raw_from = max(summed, asked.last - (raw_days - 1) * DAY)
    rows: list[Mapping[str, Any]] = []
    if table and summed > asked.first:
        rows += _stored(table, asked, chosen.where(str), summed)
    if raw_from <= asked.last:
        calls = calls_between(raw_from, asked.last).filter(chosen.where(lambda column: str(_PLACES[column].name)))
        rows += added_up(calls, {column: _PLACES[column] for column in KEYS[asked.by]})
    lines, total = merged(asked.by, rows)
    return Report(asked=asked, lines=lines, total=total, note=_note(table, raw_days, summed, raw_from))


def _table(asked: Asked) -> type[Usage] | None:
    """The roll-up that holds all that is asked; ``None`` where none does."""
    named = {By.USER: asked.user, By.COUNCIL: asked.council, By.SEAT: asked.seat, By.MODEL: asked.model}
    needed = {asked.by, *(by for by, word in named.items() if word)} - _ON_BOTH
    if needed <= {By.USER, By.KEY} and needed:
        return UserUsage
    return SeatUsage if needed <= {By.SEAT, By.MODEL} else None


def _summed_until() -> date | None:
    """The first day that is not in the roll-ups; ``None`` where there are none."""
    if not settings.ENABLE_ANALYTICS:
        return None
    return AggregationMark.objects.filter(pk=1).values_list("usage_until", flat=True).first()


def _note(table: type[Usage] | None, raw_days: int, summed: date, raw_from: date) -> str:
    missing = f" Nothing is counted from {summed} to {raw_from - DAY}." if raw_from > summed else ""
    if table is None and settings.ENABLE_ANALYTICS:
        return APART.format(days=raw_days) + missing
    return (BEHIND if settings.ENABLE_ANALYTICS else OFF) + missing if missing else ""


def _stored(table: type[Usage], asked: Asked, where: Q, until: date) -> Iterator[Mapping[str, Any]]:
    days: QuerySet[Any] = QuerySet(table)
    last = min(until - DAY, asked.last)
    sums = {f"{name}{SUM}": Sum(name) for name in SUMMED} | {f"{MOST}{SUM}": Max(MOST)}
    grouped = days.filter(where, day__gte=asked.first, day__lte=last).order_by().values(*KEYS[asked.by]).annotate(**sums)
    return ({name.removesuffix(SUM): value for name, value in row.items()} for row in grouped)
