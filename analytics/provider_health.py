"""How providers are doing now, for the dashboard. What further checks find out is to be told here, in ``_state``."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.urls import reverse

from councils.formatting import ago
from councils.models import Provider
from councils.models.health import BAD, HealthRecord, HealthState

ORDER = (HealthState.FAILING, HealthState.MISSING, HealthState.SLOW, HealthState.UNKNOWN, HealthState.HEALTHY)
"""Worst first."""
KINDS = {HealthState.HEALTHY: "good", HealthState.SLOW: "fair", HealthState.UNKNOWN: "fair"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderLine:
    """One active provider: how it is in a word, and why. ``kind`` is ``good``, ``fair``, ``bad`` or ``unchecked``."""

    name: str
    address: str
    word: str
    kind: str
    note: str


def provider_lines() -> Sequence[ProviderLine]:
    """Active providers, those in trouble first. Two queries."""
    records: dict[int, list[HealthRecord]] = defaultdict(list)
    for record in HealthRecord.objects.current().in_use().select_related("model").order_by("pk"):
        records[record.provider_id].append(record)
    lines = [_line(provider, records[provider.pk]) for provider in Provider.objects.active().order_by("name")]
    return sorted(lines, key=lambda line: ("bad", "fair", "unchecked", "good").index(line.kind))


def _line(provider: Provider, records: Sequence[HealthRecord]) -> ProviderLine:
    word, kind, note = _state(provider, records)
    return ProviderLine(
        name=provider.name, address=reverse("admin:councils_provider_change", args=[provider.pk]), word=word, kind=kind, note=note
    )


def _state(provider: Provider, records: Sequence[HealthRecord]) -> tuple[str, str, str]:
    """A word, its kind, and a note. What a provider itself said to a real call counts more than what a check found."""
    if provider.problem_at is not None:
        return "refuses our key", "bad", f"{ago(provider.problem_at)}: {provider.problem}"
    if not records:
        return "not checked yet", "unchecked", "nothing is known against it"
    worst = _worst(records)
    if worst.state == HealthState.UNKNOWN:
        return "not sure", "fair", _doubt(worst)
    of = f" ({worst.model.display_name})" if worst.model else ""
    note = f"{worst.problem}{of}" if worst.state in BAD and worst.problem else f"last check {ago(worst.checked_at)}{of}"
    return str(worst.get_state_display()), KINDS.get(HealthState(worst.state), "bad"), note


def _doubt(record: HealthRecord) -> str:
    """What the check could not find out, and what staff can do about it."""
    of = f"{record.model.display_name}: " if record.model else ""
    why = record.problem or "The free check could not find out."
    return f"{of}{why} A test of the connection, on the provider's page, makes a real call and tells."


def _worst(records: Iterable[HealthRecord]) -> HealthRecord:
    return min(records, key=lambda record: ORDER.index(HealthState(record.state)))
