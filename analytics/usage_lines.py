"""Lines of a report of usage: rows added up, and named as what they are about is named now."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.labels import labels_of
from analytics.rollup import ModelName
from analytics.sums import Sums
from analytics.usage_words import CHAIRMAN, By
from councils.models import ApiKey, CouncilConfiguration, CouncilMember, User

KEYS: Mapping[By, tuple[str, ...]] = {
    By.USER: ("owner_id",),
    By.COUNCIL: ("council_id", "council_name"),
    By.SEAT: ("council_id", "council_name", "agent_id"),
    By.MODEL: ("provider_name", "model_name"),
    By.KEY: ("api_key_id",),
    By.DAY: ("day",),
}
"""The columns of the roll-ups that name a line."""

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


def merged(by: By, rows: Iterable[Mapping[str, Any]]) -> tuple[list[Line], Line]:
    lines: dict[tuple[Any, ...], Line] = {}
    total = Line(key=())
    for row in rows:
        # A council that was renamed is still one: its old names count for nothing while it is there.
        is_there = row.get("council_id") is not None
        key = tuple("" if column == "council_name" and is_there else row[column] for column in KEYS[by])
        lines.setdefault(key, Line(key=key)).add(row)
        total.add(row)
    named(by, lines.values())
    if by is By.DAY:
        return sorted(lines.values(), key=lambda line: line.name, reverse=True), total
    return sorted(lines.values(), key=lambda line: (-line.cost_units, -line.requests, line.name)), total


def named(by: By, lines: Iterable[Line]) -> None:
    """Give the lines their names as they are now, and their rows. One query at most for each table that has names."""
    tell = {By.USER: _users, By.COUNCIL: _councils, By.SEAT: _members, By.KEY: _api_keys, By.MODEL: _models}.get(by)
    if tell is None:
        for line in lines:
            line.name = " · ".join(str(part) for part in reversed(line.key))
    else:
        tell(list(lines))


def _models(lines: Sequence[Line]) -> None:
    """By what people call it first; the name that its provider knows is what one searches for."""
    labels = labels_of(ModelName(*line.key) for line in lines)
    for line in lines:
        provider, model = line.key
        label = labels.get(ModelName(provider, model))
        line.name = f"{label} ({model}) · {provider}" if label else f"{model} · {provider}"


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
