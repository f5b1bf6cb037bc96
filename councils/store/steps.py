"""Steps that change without a call."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils import timezone

from councils.engine.events import EventType
from councils.engine.types import StepStatus
from councils.models import RunStep
from councils.store.calls import StepRef, StepWrite, conclude, open_step
from councils.store.events import Event, append, keep, step_facts
from councils.store.moments import moment
from councils.store.ownership import Claim, own


@moment
def record_step(claim: Claim, ref: StepRef, result: StepWrite) -> list[Event]:
    """Give a step its result without a call: it failed before one, its time was up."""
    run = own(claim)
    events: list[Event] = []
    open_step(run, ref)
    if conclude(run, ref, result, events):
        run.barren_deaths = 0
    keep(run, "barren_deaths")
    return events


@moment
def mark_late(claim: Claim, refs: Iterable[StepRef]) -> list[Event]:
    """Stop waiting for these steps. Their calls may go on; what they bring is stored and shown. One without a call yet gets none."""
    run = own(claim)
    events = []
    for step in [open_step(run, ref) for ref in refs]:
        if step.status != StepStatus.RUNNING.value:
            continue
        step.status = StepStatus.LATE.value
        step.save(update_fields=["status"])
        events.append(append(run, EventType.STEP_LATE, step_facts(step)))
    if events:
        # Giving one up is progress too: the next owner does not wait for it again.
        run.barren_deaths = 0
    keep(run, "barren_deaths")
    return events


@moment
def save_tally(claim: Claim, ref: StepRef, tally: Mapping[str, Any]) -> list[Event]:
    """Store the count of the votes. Its event carries the whole tally: it is small."""
    run = own(claim)
    step, created = RunStep.objects.get_or_create(
        run=run,
        key=ref.key,
        defaults={"stage": ref.stage.value, "status": StepStatus.DONE.value, "payload": dict(tally), "finished_at": timezone.now()},
    )
    if not created:
        return []
    events = [append(run, EventType.TALLY_COMPUTED, {"key": step.key, "stage": step.stage, "tally": step.payload})]
    run.barren_deaths = 0
    keep(run, "barren_deaths")
    return events
