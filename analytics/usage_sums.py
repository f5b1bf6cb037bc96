"""Adds up calls, in the database, into usage: what the days of usage are made from, and what is read where no day holds it."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Max, Q, QuerySet, Sum
from django.db.models.aggregates import Aggregate

from analytics.days import DAY, midnight_of
from analytics.models import AggregationMark, HourAnalytics, SeatUsage, UserUsage
from analytics.models.usage import Usage
from analytics.rollup import ERRORS
from councils.models import CallStatus, ModelCall
from councils.models.budget import to_units

KEY, SUM = "key_", "_sum"
ROWS_AT_ONCE = 1_000

_COUNCIL = {"council_id": F("run__council"), "council_name": F("run__council_name")}
USER_KEYS: Mapping[str, F] = {**_COUNCIL, "owner_id": F("run__owner"), "api_key_id": F("run__api_key")}
SEAT_KEYS: Mapping[str, F] = {
    **_COUNCIL,
    "agent_id": F("step__agent_id"),
    "provider_name": F("provider_name"),
    "model_name": F("model_name"),
}
"""What each table tells apart, and where a call has it."""
_SENT = Q(cached=False)
_ANSWERED = _SENT & Q(status=CallStatus.DONE.value)
_SUMS: Mapping[str, Aggregate] = {
    "requests": Count("pk", filter=_SENT),
    "errors": Count("pk", filter=_SENT & Q(status__in=sorted(ERRORS))),
    "cancelled": Count("pk", filter=_SENT & Q(status=CallStatus.CANCELLED.value)),
    "cache_hits": Count("pk", filter=~_SENT),
    f"prompt_tokens{SUM}": Sum("prompt_tokens", filter=_SENT, default=0),
    f"completion_tokens{SUM}": Sum("completion_tokens", filter=_SENT, default=0),
    "cost": Sum("cost_usd", filter=_SENT, default=Decimal(0)),
    "unknown_costs": Count("pk", filter=_SENT & Q(cost_usd=None)),
    "answers": Count("latency_ms", filter=_ANSWERED),
    "latency_total_ms": Sum("latency_ms", filter=_ANSWERED, default=0),
    "latency_most_ms": Max("latency_ms", filter=_ANSWERED),
}


def calls_between(first: date, last: date) -> QuerySet[ModelCall]:
    """Calls begun on these days, the last one included, that have ended."""
    begun = ModelCall.objects.filter(created_at__gte=midnight_of(first), created_at__lt=midnight_of(last + DAY))
    return begun.exclude(status=CallStatus.SENDING.value).order_by()


def added_up(calls: QuerySet[ModelCall], keys: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """Sums of calls by these keys, named as the columns of ``Usage``. One query."""
    # Under names of their own: some columns of calls are called as the keys are.
    rows: Any = calls.values(**{f"{KEY}{name}": where for name, where in keys.items()}).annotate(**_SUMS)
    return [_as_columns(row) for row in rows]


def _as_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {name.removeprefix(KEY).removesuffix(SUM): value for name, value in row.items()}
    return found | {"cost_units": to_units(Decimal(found.pop("cost")))}


@transaction.atomic
def aggregate_day(day: date) -> None:
    """Replace one day by what its calls say now."""
    # The lock comes before the reading: whoever writes later has read later.
    AggregationMark.objects.locked()
    calls = calls_between(day, day)
    _replace(UserUsage, day, added_up(calls, USER_KEYS))
    _replace(SeatUsage, day, added_up(calls, SEAT_KEYS))


def days_summed_by_hour() -> set[date]:
    """Days of which the hours are told. Where the days were never made, these are to be made, also if nothing has changed in them."""
    return set(HourAnalytics.objects.order_by().values_list("hour__date", flat=True).distinct())


def _replace(table: type[Usage], day: date, rows: Sequence[Mapping[str, Any]]) -> None:
    stored: QuerySet[Any] = QuerySet(table)
    stored.filter(day=day).delete()
    stored.bulk_create([table(day=day, **row) for row in rows], batch_size=ROWS_AT_ONCE)
