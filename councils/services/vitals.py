"""How this machine and this process do, and what the last health checks found: for staff and operators."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psutil
from django.conf import settings

from councils.models import EngineSign, HealthRecord, ProviderKind

SAMPLE_S = 0.1
"""How long the processor is watched for its load."""


def system() -> dict[str, Any]:
    """Processor, memory and disk of this machine, and this process's share. Bytes, percent, seconds. Takes a tenth of a second."""
    memory, disk, process = psutil.virtual_memory(), psutil.disk_usage(str(settings.BASE_DIR)), psutil.Process()
    load = os.getloadavg()
    return {
        "cpu": {
            "percent": psutil.cpu_percent(SAMPLE_S),
            "count": psutil.cpu_count() or 1,
            "load_average": [round(value, 2) for value in load],
        },
        "memory": {"total": memory.total, "available": memory.available, "percent": memory.percent},
        "disk": {"total": disk.total, "free": disk.free, "percent": disk.percent},
        "process": {
            "memory": process.memory_info().rss,
            "threads": process.num_threads(),
            "uptime_s": round(time.time() - process.create_time()),
        },
    }


def engines() -> list[dict[str, Any]]:
    """The engines that have signed lately: who they are, since when, and how many runs each drives."""
    rows = EngineSign.objects.alive().values("worker", "kind", "started_at", "seen_at", "runs")
    return [dict(row) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressHealth:
    """An address of a provider, as the last check found it."""

    provider: str
    base_url: str
    state: str
    since: datetime
    checked_at: datetime
    latency_ms: int | None
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelHealth:
    """A model of a provider, as the last check found it."""

    provider: str
    model: str
    state: str
    since: datetime
    checked_at: datetime
    latency_ms: int | None
    problem: str


def addresses(kind: ProviderKind | None = None) -> list[AddressHealth]:
    """All addresses that are in use, or those of one kind of provider."""
    records = HealthRecord.objects.current().in_use().of_addresses().select_related("provider")
    if kind is not None:
        records = records.filter(provider__kind=kind)
    return [AddressHealth(base_url=record.base_url, **_of(record)) for record in _by_provider(records)]


def models(kind: ProviderKind | None = None) -> list[ModelHealth]:
    """All models that are in use, or those of one kind of provider."""
    records = HealthRecord.objects.current().in_use().of_models().select_related("provider", "model")
    if kind is not None:
        records = records.filter(provider__kind=kind)
    return [ModelHealth(model=record.model.name, **_of(record)) for record in _by_provider(records) if record.model]


def _by_provider(records: Any) -> Iterable[HealthRecord]:
    rows: Iterable[HealthRecord] = records.order_by("provider__slug", "base_url", "model__name", "pk")
    return rows


def _of(record: HealthRecord) -> dict[str, Any]:
    return {
        "provider": record.provider.slug,
        "state": record.state,
        "since": record.since,
        "checked_at": record.checked_at,
        "latency_ms": record.latency_ms,
        "problem": record.problem,
    }
