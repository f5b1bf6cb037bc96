"""Aggregates over what the councils did. Only this module computes them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import median

from django.db.models import Count, Q, Sum

from councils.engine.types import RunStatus
from councils.models import CouncilRun, ModelCall
from councils.services.attention import runs_needing_attention

# Enough to tell a median well; beyond, the newest stand for the day.
MEDIAN_SAMPLE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """What happened since midnight (``since``). ``median_ms`` is of finished runs, from start to end.

    ``spend_usd`` leaves out the ``unknown_costs`` calls whose cost is not known.
    """

    since: datetime
    runs: int
    live: int
    succeeded: int
    ended: int
    spend_usd: Decimal
    unknown_costs: int
    prompt_tokens: int
    completion_tokens: int
    median_ms: int | None
    needing_attention: int

    @property
    def success_rate(self) -> float | None:
        """Part of the ended runs that succeeded; ``None`` before any has ended. Cancelled runs are nobody's failure and not counted."""
        return self.succeeded / self.ended if self.ended else None


def day_figures(now: datetime) -> DayFigures:
    """The day of ``now``, in the time zone of ``now``, in a constant number of queries."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    runs = CouncilRun.objects.filter(created_at__gte=midnight)
    ended = Q(status__in=(RunStatus.SUCCEEDED.value, RunStatus.PARTIAL.value, RunStatus.FAILED.value))
    counted = runs.aggregate(
        runs=Count("pk"),
        live=Count("pk", filter=Q(status__in=(RunStatus.QUEUED.value, RunStatus.RUNNING.value))),
        succeeded=Count("pk", filter=Q(status=RunStatus.SUCCEEDED.value)),
        ended=Count("pk", filter=ended),
    )
    # Spending goes by calls: a run from yesterday may still spend today.
    spent = ModelCall.objects.filter(created_at__gte=midnight).aggregate(
        spend_usd=Sum("cost_usd"),
        unknown_costs=Count("pk", filter=Q(cost_usd=None, finished_at__isnull=False)),
        prompt_tokens=Sum("prompt_tokens"),
        completion_tokens=Sum("completion_tokens"),
    )
    return DayFigures(
        since=midnight,
        **counted,
        spend_usd=spent["spend_usd"] or Decimal(0),
        unknown_costs=spent["unknown_costs"],
        prompt_tokens=spent["prompt_tokens"] or 0,
        completion_tokens=spent["completion_tokens"] or 0,
        median_ms=_median_ms(midnight),
        needing_attention=runs_needing_attention(now).count(),
    )


def _median_ms(midnight: datetime) -> int | None:
    finished = CouncilRun.objects.filter(created_at__gte=midnight, started_at__isnull=False, finished_at__isnull=False).exclude(
        status=RunStatus.CANCELLED.value
    )
    times = finished.order_by("-created_at").values_list("started_at", "finished_at")[:MEDIAN_SAMPLE]
    seconds = [(end - start).total_seconds() for start, end in times if start and end]
    return round(median(seconds) * 1000) if seconds else None
