"""What a question to a council is likely to cost and how long it takes: from the questions that it has answered, and from prices."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from statistics import median, quantiles
from typing import Generic, TypeVar

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from councils.engine.carrying import Course
from councils.engine.types import RunStatus
from councils.models import CouncilConfiguration, CouncilRun, ModelCall, ModelInfo
from councils.services.estimating import Estimate, Matter, Past, estimate_run, pasts_in
from councils.snapshot import take_snapshot

LAST = 20
"""So many questions are looked back on: enough for a median, few enough to follow a change of models."""
FEWEST_FOR_SPREAD = 4
USUAL_QUESTION = "?" * 500
"""Some eighty words."""
MS = timedelta(milliseconds=1)

FULL = Q(trial=False, course=Course.FULL.value, status__in=(RunStatus.SUCCEEDED.value, RunStatus.PARTIAL.value), finished_at__isnull=False)
"""Runs that went through all stages and gave an answer to somebody who asked."""
PAID = ~Exists(ModelCall.objects.filter(run=OuterRef("pk"), cached=True))
"""An answer from the cache was free and came at once: that says nothing of a new question."""

Amount = TypeVar("Amount", Decimal, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread(Generic[Amount]):
    """Half of the amounts lie between the quartiles ``low`` and ``high``; where there are too few to say so, both are ``None``."""

    median: Amount
    low: Amount | None = None
    high: Amount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the last ``runs`` questions to a council say of the next one; ``priced`` is how many of them have a known cost.

    ``cost_usd`` is ``None`` where no cost is known; a council of free models is known to cost 0 before it was ever asked. ``took_ms`` is
    the time from question to answer. ``estimate`` is of ``question``, or of one of usual length where nothing is written yet.
    """

    runs: int
    priced: int
    cost_usd: Spread[Decimal] | None
    took_ms: Spread[float] | None
    estimate: Estimate = field(default_factory=Estimate)
    question: str = ""

    @property
    def likely_usd(self) -> Decimal | None:
        """What the question probably costs: as the last ones did, until there is a text that can be reckoned with."""
        experience = self.cost_usd.median if self.cost_usd else None
        known = (self.estimate.expected, experience) if self.question else (experience, self.estimate.expected)
        return next((cost for cost in known if cost is not None), None)

    @property
    def most_usd(self) -> Decimal | None:
        """What it costs if every answer is as long as it may be; never below what is likely. Calls that are repeated are not in it."""
        likely, high = self.likely_usd, self.estimate.high
        return None if likely is None or high is None else max(likely, high)


def expectations(councils: Sequence[CouncilConfiguration], *, question: str = "") -> Mapping[int, Expectation]:
    """By primary key, for councils that were loaded ``with_details()``. Three queries, however many councils and runs there are."""
    costs: dict[int, list[Decimal]] = {council.pk: [] for council in councils}
    times: dict[int, list[float]] = {council.pk: [] for council in councils}
    runs = list(_last_runs(costs.keys()))
    for run in runs:
        if run.council_id is None or run.finished_at is None:
            continue
        # A clock that was set back must not make an answer come before its question.
        times[run.council_id].append(max((run.finished_at - run.created_at) / MS, 0.0))
        if run.cost_usd is not None:
            costs[run.council_id].append(run.cost_usd)
    pasts = pasts_in([run.pk for run in runs])
    return {
        council.pk: replace(
            _expectation(council, costs[council.pk], times[council.pk]),
            estimate=_estimate(council, question, pasts.get(council.pk, {})),
            question=question,
        )
        for council in councils
    }


def _estimate(council: CouncilConfiguration, question: str, past: Past) -> Estimate:
    """Of the models that would be asked now; where there is nobody to ask, nothing is known. What is asked does not depend on the seed."""
    snapshot = take_snapshot(council, seed="")
    if not snapshot.spec.answering():
        return Estimate()
    return estimate_run(snapshot, Matter(question=question or USUAL_QUESTION, past=past))


def _last_runs(councils: Iterable[int]) -> QuerySet[CouncilRun]:
    """The last full runs of each council, with the columns that matter here."""
    full = CouncilRun.objects.filter(FULL, PAID, council=OuterRef("pk")).order_by("-pk")
    # Each council's runs are counted back along the index, whatever their number; a window function would read all of them.
    oldest = CouncilConfiguration.objects.filter(pk__in=list(councils)).values_list("pk", Subquery(full.values("pk")[LAST - 1 : LAST]))
    wanted = Q(pk__in=[])
    for council, first in oldest.order_by():
        wanted |= Q(council=council) if first is None else Q(council=council, pk__gte=first)
    runs = CouncilRun.objects.filter(FULL, PAID, wanted).order_by()
    return runs.only("council", "created_at", "finished_at", "known_cost_usd", "unknown_costs")


def _expectation(council: CouncilConfiguration, costs: Sequence[Decimal], times: Sequence[float]) -> Expectation:
    cost = Spread(median=Decimal(0)) if _is_free(council) else _spread(costs)
    return Expectation(runs=len(times), priced=len(costs), cost_usd=cost, took_ms=_spread(times))


def _spread(amounts: Sequence[Amount]) -> Spread[Amount] | None:
    if not amounts:
        return None
    if len(amounts) < FEWEST_FOR_SPREAD:
        return Spread(median=median(amounts))
    low, middle, high = quantiles(amounts, n=4, method="inclusive")
    return Spread(median=middle, low=low, high=high)


def _is_free(council: CouncilConfiguration) -> bool:
    """Whether none of the models that may be called costs anything."""
    return all(model.cost_per_1k_input_tokens == 0 and model.cost_per_1k_output_tokens == 0 for model in _models(council))


def _models(council: CouncilConfiguration) -> Iterable[ModelInfo]:
    yield council.chairman_model
    yield from (fallback.model for fallback in council.chairman_fallbacks.all())
    for seat in council.members.all():
        yield from (model for model in (seat.model, seat.fallback_model) if model is not None)
