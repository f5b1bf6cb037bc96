"""When calls were made: bars that lie on the axis, and the same figures in the lines."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from councils.admin.timeline import AXIS, Line, Timeline, timeline_of
from councils.engine.types import RunStatus, Stage, StepStatus
from councils.models import CallStatus, CouncilRun, ModelCall
from councils.models.base import new_public_id
from councils.tests.factories import RunPlan, add_step, make_run

pytestmark = pytest.mark.django_db
START = timezone.now() - timedelta(minutes=5)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def run_of_ten_seconds(**fields: object) -> CouncilRun:
    run = make_run(status=RunStatus.FAILED, plan=RunPlan())
    CouncilRun.objects.filter(pk=run.pk).update(created_at=START, finished_at=after(10), **fields)
    return run


def drawn(run: CouncilRun, now: datetime | None = None) -> Timeline:
    return timeline_of(CouncilRun.objects.with_details().get(pk=run.pk), now=now or timezone.now())


def bars(line: Line) -> list[tuple[str, int, int]]:
    return [(bar.kind, bar.start, bar.width) for bar in line.bars]


def test_a_call_waits_for_its_first_text_and_then_writes() -> None:
    run = run_of_ten_seconds()
    step = add_step(run, "opinion:agent_1", Stage.OPINIONS, StepStatus.DONE)
    step.calls.update(created_at=after(2), first_token_ms=1000, latency_ms=4000)

    timeline = drawn(run)

    (line,) = timeline.lines
    assert bars(line) == [("waiting", 200, 100), ("writing", 300, 300)]
    assert (line.begins_ms, line.took_ms, timeline.total_ms) == (2000, 4000, 10_000)
    assert timeline.ticks[-1] == (AXIS, 10_000)


def test_retries_have_lines_of_their_own_with_the_pause_before_them() -> None:
    run = run_of_ten_seconds()
    step = add_step(run, "opinion:agent_1", Stage.OPINIONS, StepStatus.DONE)
    step.calls.update(created_at=after(4), latency_ms=2000, attempt=2)
    first = step.calls.get()
    first.pk, first.public_id, first.attempt, first.status = None, new_public_id(), 1, CallStatus.REFUSED.value
    first.error_kind, first.error_detail = "rate_limited", "The provider asks us to slow down."
    first.save()
    ModelCall.objects.filter(pk=first.pk).update(created_at=after(1), latency_ms=1000)

    whole, refused, answered = drawn(run).lines

    assert (whole.is_step, refused.is_step) == (True, False)
    assert refused.error == "rate limited: The provider asks us to slow down."
    assert refused.paused_ms is None
    assert answered.paused_ms == 2000
    assert bars(answered)[0] == ("pause", 200, 200)


def test_nothing_lies_outside_the_axis_where_clocks_disagree() -> None:
    run = run_of_ten_seconds()
    for number, (begun, took) in enumerate(((-30, 1000), (9.999, 0), (3, 100_000)), start=1):
        step = add_step(run, f"opinion:agent_{number}", Stage.OPINIONS, StepStatus.DONE)
        step.calls.update(created_at=after(begun), latency_ms=took, first_token_ms=took * 5)

    for line in drawn(run).lines:
        for bar in line.bars:
            assert 0 <= bar.start < bar.start + bar.width <= AXIS


def test_a_call_under_way_reaches_to_now() -> None:
    run = make_run(status=RunStatus.RUNNING, plan=RunPlan())
    CouncilRun.objects.filter(pk=run.pk).update(created_at=START)
    step = add_step(run, "opinion:agent_1", Stage.OPINIONS, StepStatus.RUNNING)
    step.calls.update(created_at=after(5))

    (line,) = drawn(run, now=after(10)).lines

    assert bars(line) == [("waiting", 500, 500)]
    assert line.took_ms is None


def test_stages_come_in_the_order_of_the_deliberation() -> None:
    lines = drawn(make_run()).lines

    stages = [line.step.stage for line in lines]
    assert list(dict.fromkeys(stages)) == ["opinions", "review", "synthesis"]
    assert stages == sorted(stages, key=["opinions", "review", "synthesis"].index)
