"""Reports of usage: what was asked of models in some days, by whom, of which council, in which seat, of which model, and what it cost.

Days that are over are read from the roll-ups, whatever their number. They tell apart who asked, and which seat and model answered, but
not both at once: for that, as for the days that are not summed up yet, single calls are added up, of few days only.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db.models import Exists, Max, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from analytics.days import DAY
from analytics.models import AggregationMark, SeatUsage, UserUsage
from analytics.models.usage import Usage
from analytics.sums import Sums
from analytics.usage_days import SEAT_KEYS, SUM, USER_KEYS, added_up, calls_between
from councils.models import ApiKey, CouncilConfiguration, CouncilMember, User

USUAL_DAYS = 30
RAW_DAYS = 31
"""So many days are read from single calls at most."""
FEW_USERS, RAW_DAYS_OF_MANY = 10, 7
"""So many days of more users than these, where only single calls tell: a week of a busy place takes longer than years of its roll-ups."""
CHAIRMAN = "chairman"
EARLIEST = date(2000, 1, 1)


class By(StrEnum):
    """What a line of a report is about."""

    USER = "user"
    COUNCIL = "council"
    SEAT = "seat"
    MODEL = "model"
    KEY = "key"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a report is to tell: whole days, UTC, the last one included, and words that choose whose usage counts; empty means all.

    ``user`` is a user name or its beginning, ``council`` and ``model`` are words in their names, ``seat`` is a part of a seat's name, its
    id, or "chairman".
    """

    by: By
    first: date
    last: date
    user: str = ""
    council: str = ""
    seat: str = ""
    model: str = ""

    @classmethod
    def of(cls, by: By, first: date | None, last: date | None, **words: str) -> "Asked":
        """The last 30 days without a ``first``, until today without a ``last``."""
        today = timezone.now().date()
        end = max(min(last or today, today), EARLIEST)
        return cls(by=by, first=max(min(first or end - (USUAL_DAYS - 1) * DAY, end), EARLIEST), last=end, **words)


SUMMED = (
    *("requests", "errors", "cancelled", "cache_hits", "prompt_tokens", "completion_tokens", "cost_units", "unknown_costs"),
    *("answers", "latency_total_ms"),
)
MOST = "latency_most_ms"


@dataclass(slots=True, kw_only=True)
class Line(Sums):
    """What one of them used, as ``ModelAnalytics`` counts. ``key`` are the columns that name it; ``pk`` its row, where it has one."""

    key: tuple[Any, ...]
    name: str = ""
    pk: int | None = None
    requests: int = 0
    errors: int = 0
    cancelled: int = 0
    cache_hits: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_units: int = 0
    unknown_costs: int = 0
    answers: int = 0
    latency_total_ms: int = 0
    latency_most_ms: int | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        for name in SUMMED:
            setattr(self, name, getattr(self, name) + row[name])
        if row[MOST] is not None:
            self.latency_most_ms = max(row[MOST], self.latency_most_ms or 0)

    @property
    def latency_ms(self) -> int | None:
        """Of an answer, on average."""
        return round(self.latency_total_ms / self.answers) if self.answers else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The dearest line first, or the newest day. ``note`` says where single calls had to be read, and which days are missing then."""

    asked: Asked
    lines: Sequence[Line]
    total: Line
    note: str


_KEYS: Mapping[By, tuple[str, ...]] = {
    By.USER: ("owner_id",),
    By.COUNCIL: ("council_id", "council_name"),
    By.SEAT: ("council_id", "council_name", "agent_id"),
    By.MODEL: ("provider_name", "model_name"),
    By.KEY: ("api_key_id",),
    By.DAY: ("day",),
}
"""The columns of the roll-ups that name a line."""
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
    table, until, chosen = _table(asked), _summed_until(), _Chosen.by(asked)
    summed = max(until, asked.first) if table and until else asked.first
    is_wide = table is None and settings.ENABLE_ANALYTICS and chosen.is_many
    raw_days = RAW_DAYS_OF_MANY if is_wide else RAW_DAYS
    raw_from = max(summed, asked.last - (raw_days - 1) * DAY)
    rows: list[Mapping[str, Any]] = []
    if table and summed > asked.first:
        rows += _stored(table, asked, chosen.where(str), summed)
    if raw_from <= asked.last:
        calls = calls_between(raw_from, asked.last).filter(chosen.where(lambda column: str(_PLACES[column].name)))
        rows += added_up(calls, {column: _PLACES[column] for column in _KEYS[asked.by]})
    lines, total = _merged(asked.by, rows)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """What the words of a question choose. ``owners`` are the users that the word for them names; ``None`` where all are meant."""

    owners: QuerySet[User] | None
    asked: Asked

    @classmethod
    def by(cls, asked: Asked) -> "_Chosen":
        return cls(owners=_owners(asked.user) if asked.user else None, asked=asked)

    @property
    def is_many(self) -> bool:
        return self.owners is None or self.owners[: FEW_USERS + 1].count() > FEW_USERS

    def where(self, place: Callable[[str], str]) -> Q:
        """A condition on rows that have these columns at these places. The database looks up whom a word names, however many they are."""
        found, asked = Q(), self.asked
        if self.owners is not None:
            found &= Q(**{f"{place('owner_id')}__in": self.owners.values("pk")})
        if asked.council:
            named = CouncilConfiguration.objects.filter(name__icontains=asked.council).order_by().values("pk")
            gone = Q(**{f"{place('council_id')}__isnull": True, f"{place('council_name')}__icontains": asked.council})
            found &= Q(**{f"{place('council_id')}__in": named}) | gone
        if asked.seat:
            word = asked.seat.lower()
            seats = CouncilMember.objects.filter(council=OuterRef(place("council_id")), agent_id=OuterRef(place("agent_id")))
            found &= Q(**{place("agent_id"): "" if word == CHAIRMAN else word}) | Q(Exists(seats.filter(name__icontains=word)))
        return found & Q(**{f"{place('model_name')}__icontains": asked.model}) if asked.model else found


def _owners(word: str) -> QuerySet[User]:
    """Who is called so, else all whose names begin so."""
    called = User.objects.filter(username__iexact=word).order_by()
    return called if called.exists() else User.objects.filter(username__istartswith=word).order_by()


def _stored(table: type[Usage], asked: Asked, where: Q, until: date) -> Iterator[Mapping[str, Any]]:
    days: QuerySet[Any] = QuerySet(table)
    last = min(until - DAY, asked.last)
    sums = {f"{name}{SUM}": Sum(name) for name in SUMMED} | {f"{MOST}{SUM}": Max(MOST)}
    grouped = days.filter(where, day__gte=asked.first, day__lte=last).order_by().values(*_KEYS[asked.by]).annotate(**sums)
    return ({name.removesuffix(SUM): value for name, value in row.items()} for row in grouped)


def _merged(by: By, rows: Iterable[Mapping[str, Any]]) -> tuple[list[Line], Line]:
    lines: dict[tuple[Any, ...], Line] = {}
    total = Line(key=())
    for row in rows:
        # A council that was renamed is still one: its old names count for nothing while it is there.
        is_there = row.get("council_id") is not None
        key = tuple("" if column == "council_name" and is_there else row[column] for column in _KEYS[by])
        lines.setdefault(key, Line(key=key)).add(row)
        total.add(row)
    named(by, lines.values())
    if by is By.DAY:
        return sorted(lines.values(), key=lambda line: line.name, reverse=True), total
    return sorted(lines.values(), key=lambda line: (-line.cost_units, -line.requests, line.name)), total


def named(by: By, lines: Iterable[Line]) -> None:
    """Give the lines their names as they are now, and their rows. One query at most for each table that has names."""
    tell = {By.USER: _users, By.COUNCIL: _councils, By.SEAT: _members, By.KEY: _api_keys}.get(by)
    if tell is None:
        for line in lines:
            line.name = " · ".join(str(part) for part in reversed(line.key))
    else:
        tell(list(lines))


def _users(lines: Sequence[Line]) -> None:
    names = dict(User.objects.filter(pk__in=[line.key[0] for line in lines]).values_list("pk", "username"))
    for line in lines:
        line.pk = line.key[0] if line.key[0] in names else None
        line.name = names.get(line.key[0], "deleted users")


def _api_keys(lines: Sequence[Line]) -> None:
    names = dict(ApiKey.objects.filter(pk__in=[line.key[0] for line in lines]).values_list("pk", "name"))
    for line in lines:
        line.pk = line.key[0] if line.key[0] in names else None
        line.name = names.get(line.key[0], "without a key, or with one that is deleted")


def _councils(lines: Sequence[Line]) -> None:
    names = dict(CouncilConfiguration.objects.filter(pk__in=[line.key[0] for line in lines]).values_list("pk", "name"))
    for line in lines:
        line.pk, known = line.key[0], names.get(line.key[0])
        line.name = f"{line.key[1]} (deleted)" if known is None else known


def _members(lines: Sequence[Line]) -> None:
    _councils(lines)
    members = CouncilMember.objects.filter(council__in={line.pk for line in lines if line.pk is not None})
    names: dict[tuple[int | None, str], str] = {
        (council, agent_id): name for council, agent_id, name in members.values_list("council_id", "agent_id", "name")
    }
    for line in lines:
        agent_id = line.key[2]
        line.name = f"{names.get((line.pk, agent_id), agent_id) if agent_id else CHAIRMAN.title()} · {line.name}"
