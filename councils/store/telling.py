"""What metrics are told of runs and calls once it is committed, whichever process wrote it. Nobody's run can fail of it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from django.conf import settings
from django.db import transaction

from councils.models import CouncilRun, ModelCall, RunStep
from councils.telemetry import metrics

Span = tuple[datetime, datetime]


def tell_end(run: CouncilRun) -> None:
    """This run ends with the transaction at hand. Its stages are read from its steps: several processes may have driven it."""
    if not settings.ENABLE_METRICS:
        return
    if not run.trial:
        # Staff who try a draft see how it ends. Nobody else waits for it, so no alert should come of it.
        transaction.on_commit(partial(metrics.session_ended, run.status), robust=True)
    transaction.on_commit(partial(_tell_stages, run), robust=True)


def tell_orphan(call: ModelCall) -> None:
    """Nobody drives this call any more, and nobody else will count it. One that came from the cache was none."""
    if settings.ENABLE_METRICS and not call.cached:
        transaction.on_commit(partial(_tell_call, call.pk, metrics.CallEnd(status=call.status)), robust=True)


def tell_correction(call: ModelCall, cost: Decimal) -> None:
    """Staff have booked what this call cost, in USD."""
    if settings.ENABLE_METRICS:
        transaction.on_commit(partial(_tell_cost, call.pk, cost), robust=True)


def _tell_stages(run: CouncilRun) -> None:
    stages: dict[str, list[Span]] = {}
    for stage, began, ended in RunStep.objects.filter(run=run).order_by().values_list("stage", "started_at", "finished_at"):
        stages.setdefault(stage, []).append((began, ended or run.finished_at or began))
    for stage, spans in stages.items():
        metrics.stage_took(stage, at_work_s(spans))


def at_work_s(spans: Iterable[Span]) -> float:
    """Seconds that lie in at least one of the spans. One that ends before it begins, by two machines' clocks, is empty."""
    total, until = timedelta(), None
    for began, ended in sorted(spans):
        begin = began if until is None else max(began, until)
        total += max(ended - begin, timedelta())
        until = max(begin, ended)
    return total.total_seconds()


def _tell_call(call_pk: int, end: metrics.CallEnd) -> None:
    model, provider = _labels(call_pk)
    metrics.call_ended(model=model, provider=provider, end=end)


def _tell_cost(call_pk: int, cost: Decimal) -> None:
    model, provider = _labels(call_pk)
    metrics.cost_corrected(model=model, provider=provider, cost_usd=cost)


def _labels(call_pk: int) -> tuple[str, str]:
    """Model and provider as metrics name them; a model that was deleted is known by its provider's long name alone."""
    [(model, name, slug)] = ModelCall.objects.filter(pk=call_pk).values_list("model_name", "provider_name", "model__provider__slug")
    return model, slug or name
