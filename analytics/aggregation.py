"""Bringing the roll-ups up to date: which hours have changed, and each of them computed anew from its raw rows.

An hour is always replaced as a whole, in one transaction that holds the mark, so that doing it twice, or twice at once, changes
nothing. Raw rows are never added to what is there already.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet
from django.db.models.functions import TruncHour
from django.utils import timezone

from analytics.conversations import refresh_conversations
from analytics.models import AggregationMark, HourAnalytics, ModelAnalytics, SeatUsage, UserUsage
from analytics.rollup import figures_between
from analytics.usage_sums import aggregate_day, days_summed_by_hour
from councils.models import CallStatus, CouncilRun, EntryKind, LedgerEntry, ModelCall
from councils.models.run import LIVE

HOUR = timedelta(hours=1)
OVERLAP = timedelta(hours=2)
"""Changes this long before the mark are looked at again: clocks are set back, and a commit comes later than the time it carries."""
SETTLE = timedelta(minutes=15)
"""An hour is read from the roll-ups once it is over this long: until then its calls come home."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregated:
    """How much was computed anew. ``buckets`` are rows of models in hours."""

    hours: int
    buckets: int
    conversations: int


def hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def aggregate(*, since: datetime | None = None) -> Aggregated:
    """Take in everything that has changed since the last time. What was left undone by an earlier try that broke off is done now.

    With ``since`` every hour from then on is computed anew, whether it has changed or not, and so are all conversations asked since.
    """
    began = timezone.now()
    mark = AggregationMark.objects.filter(pk=1).first()
    changed_since = mark.changes_until - OVERLAP if mark and mark.changes_until and since is None else None
    changed = {} if since else _last_changes(changed_since)
    hours = _hours_from(since) if since else _outdated(changed, began)
    buckets = sum(aggregate_hour(hour) for hour in hours)
    for day in sorted(_days(changed or hours, mark)):
        aggregate_day(day)
    conversations = refresh_conversations(changed_since=changed_since, asked_since=since, overlap=OVERLAP)
    if since is None:
        AggregationMark.objects.advance(changes_until=began, sealed_until=hour_of(began - SETTLE))
    return Aggregated(hours=len(hours), buckets=buckets, conversations=conversations)


def rebuild() -> Aggregated:
    """Forget all hours and make them again. What raw rows do not tell any more, since they were deleted, is gone."""
    with transaction.atomic():
        AggregationMark.objects.locked()
        AggregationMark.objects.update(changes_until=None, sealed_until=None, usage_until=None)
        UserUsage.objects.all().delete()
        SeatUsage.objects.all().delete()
        ModelAnalytics.objects.all().delete()
        HourAnalytics.objects.all().delete()
    return aggregate()


@transaction.atomic
def aggregate_hour(hour: datetime) -> int:
    """Replace one hour by what its raw rows say now; how many models it holds."""
    # The lock comes before the reading: whoever writes later has read later.
    AggregationMark.objects.locked()
    figures = figures_between(hour, hour + HOUR)
    ModelAnalytics.objects.filter(hour=hour).delete()
    HourAnalytics.objects.filter(hour=hour).delete()
    if figures.is_empty:
        return 0
    figures.as_hour(hour, at=timezone.now()).save(force_insert=True)
    return len(ModelAnalytics.objects.bulk_create(figures.as_models(hour)))


def _days(hours: Iterable[datetime], mark: AggregationMark | None) -> set[date]:
    """Days that hold these hours; all that there are, where they were never made to their end."""
    days = {hour.date() for hour in hours}
    return days if mark and mark.usage_until else days | days_summed_by_hour()


def _outdated(changed: Mapping[datetime, datetime], now: datetime) -> list[datetime]:
    """Hours that have changed, oldest first, without those that were computed well after their last change.

    So a long way to catch up is not begun anew when it is broken off.
    """
    done = dict(HourAnalytics.objects.filter(hour__in=changed).values_list("hour", "aggregated_at")) if changed else {}
    recent = hour_of(now - OVERLAP)
    return sorted(hour for hour, last in changed.items() if hour >= recent or hour not in done or done[hour] < last + OVERLAP)


def _sources() -> tuple[QuerySet[Any], ...]:
    """What has ended. The rest is in no sum yet."""
    calls = ModelCall.objects.exclude(status=CallStatus.SENDING.value)
    return calls.order_by(), CouncilRun.objects.exclude(status__in=LIVE).order_by()


def _last_changes(since: datetime | None) -> Mapping[datetime, datetime]:
    """Hours with their last change."""
    latest: dict[datetime, datetime] = {}
    for source in _sources():
        # What has ended says when; rows without that are judged by when they were made.
        for column in ("finished_at", "created_at"):
            rows = source.exclude(finished_at=None) if column == "finished_at" else source
            _take_latest(latest, rows, column, since, "created_at")
    # What a call cost may be said long after it ended.
    _take_latest(latest, LedgerEntry.objects.filter(kind=EntryKind.CORRECTED).order_by(), "created_at", since, "call__created_at")
    return latest


def _take_latest(latest: dict[datetime, datetime], rows: QuerySet[Any], changed: str, since: datetime | None, belongs: str) -> None:
    if since is not None:
        rows = rows.filter(**{f"{changed}__gte": since})
    found = rows.annotate(hour=TruncHour(belongs, tzinfo=UTC)).values("hour").annotate(last=Max(changed))
    for hour, last in found.values_list("hour", "last"):
        latest[hour] = max(last, latest.get(hour, last))


def _hours_from(since: datetime) -> list[datetime]:
    """Every hour from that of ``since`` on that has raw rows or a roll-up."""
    start = hour_of(since)
    hours = set(HourAnalytics.objects.filter(hour__gte=start).values_list("hour", flat=True))
    for source in _sources():
        rows = source.filter(created_at__gte=start)
        hours |= set(rows.annotate(at=TruncHour("created_at", tzinfo=UTC)).values_list("at", flat=True).distinct())
    return sorted(hours)
