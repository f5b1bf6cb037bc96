"""What the councils' votes say of models: where their answers were put."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from councils.engine.types import Stage, StepStatus
from councils.models import CallStatus, ModelCall, RunStep
from councils.models.run import LIVE

Place = tuple[str, str, int]
"""Provider and model of an answer, and its place from 1."""
Writer = tuple[str, str]
"""Provider and model."""


def places(start: datetime, end: datetime) -> Iterator[Place]:
    """One for each answer that was voted on in runs asked in this span that have ended. A second round replaces the first."""
    asked = {"run__created_at__gte": start, "run__created_at__lt": end}
    # A count that was kept from an earlier try was counted there.
    counted = {"run__trial": False, "stage": Stage.REVIEW.value, "agent_id": "", "status": StepStatus.DONE.value, "carried": False}
    tallies = RunStep.objects.filter(**asked, **counted).exclude(run__status__in=LIVE)
    # The steps of a run are written in the order of its rounds.
    orders = {run: order or [] for run, order in tallies.order_by("pk").values_list("run_id", "payload__order")}
    if not orders:
        return
    writers = writers_of(asked)
    for run, order in orders.items():
        for place, candidate in enumerate(order, start=1):
            if writer := writers.get((run, candidate)):
                yield *writer, place


def writers_of(runs: Mapping[str, Any]) -> dict[tuple[int, str], Writer]:
    """Who wrote each answer of these runs (filters on steps), by run and the answer's name on ballots.

    It is the model of the call that brought it; of a kept answer, of the call where it was made.
    """
    opinions = {"stage": Stage.OPINIONS.value, **runs}
    done = CallStatus.DONE.value
    kept = RunStep.objects.filter(**opinions, carried=True, carried_from__calls__status=done).order_by()
    of_kept = kept.values_list("run_id", "key", "carried_from__calls__provider_name", "carried_from__calls__model_name")
    made = ModelCall.objects.filter(status=done, **{f"step__{name}": value for name, value in opinions.items()}).order_by()
    of_made = made.values_list("run_id", "step__key", "provider_name", "model_name")
    return {(run, key.partition(":")[2]): (provider, model) for run, key, provider, model in [*of_kept, *of_made]}
