"""A run has one beginning, one history without a gap, and one end, whatever races."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from councils.engine.types import RunStatus, StepStatus
from councils.models import CouncilRun, Message, RunEvent
from councils.store.calls import begin_call
from councils.store.claims import claim_run
from councils.store.events import events_after
from councils.store.ownership import LostRun
from councils.store.runs import cancel
from councils.tests.store.support import FAILED, Owner, events_of, ref, step_of


def in_parallel(*works: Callable[[], object]) -> list[object]:
    """Run these in threads that start together; what each returned, or the error it raised."""
    outcomes: list[object] = [None] * len(works)
    gate = threading.Barrier(len(works))

    def carry_out(place: int, work: Callable[[], object]) -> None:
        gate.wait()
        try:
            outcomes[place] = work()
        except LostRun as error:
            outcomes[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=carry_out, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_the_history_counts_from_one_without_a_gap(owner: Owner) -> None:
    owner.settle("opinion:agent_1", owner.begin("opinion:agent_1"), FAILED)
    second = Owner.of(owner.run, worker="second")
    second.answer("opinion:agent_2")
    second.finish()

    events = events_of(owner.run)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "run_finished"


def test_a_write_that_is_refused_leaves_no_hole_in_the_history(owner: Owner) -> None:
    second = Owner.of(owner.run, worker="second")
    with pytest.raises(LostRun):
        owner.begin("opinion:agent_1")

    second.begin("opinion:agent_1")

    assert [event["seq"] for event in events_of(owner.run)] == [1, 2, 3, 4]


def test_events_are_read_from_where_a_viewer_stands(owner: Owner) -> None:
    owner.answer("opinion:agent_1")
    owner.finish()
    owner.run.refresh_from_db()

    assert [event["type"] for event in events_after(owner.run, 3)] == ["opinion_completed", "run_finished"]
    assert [event["seq"] for event in events_after(owner.run, 1, limit=2)] == [2, 3]
    assert events_after(owner.run, 99) == []


def test_the_end_brings_status_answer_and_message_together(owner: Owner) -> None:
    owner.finish()

    owner.run.refresh_from_db()
    assert (owner.run.status, owner.run.answer, owner.run.worker) == (RunStatus.SUCCEEDED, "Blue.", "")
    assert list(Message.objects.filter(run=owner.run).values_list("role", "text")) == [("assistant", "Blue.")]
    assert events_of(owner.run)[-1]["answer"] == "Blue."


def test_the_keys_that_a_run_needs_are_gone_when_it_has_ended(owner: Owner) -> None:
    CouncilRun.objects.filter(pk=owner.run.pk).update(sealed_keys={"1": "ciphertext"})

    owner.finish()

    owner.run.refresh_from_db()
    assert owner.run.sealed_keys == {}


def test_a_cancel_closes_the_steps_and_keeps_what_was_answered(owner: Owner) -> None:
    owner.answer("opinion:agent_1")
    owner.begin("opinion:agent_2")

    cancel(owner.run.pk, by=owner.run.owner)

    owner.run.refresh_from_db()
    assert (owner.run.status, owner.run.cancelled_by) == (RunStatus.CANCELLED, owner.run.owner)
    assert step_of(owner.run, "opinion:agent_1").status == StepStatus.DONE
    assert step_of(owner.run, "opinion:agent_2").status == StepStatus.CANCELLED


def test_cancelling_twice_changes_nothing_the_second_time(owner: Owner) -> None:
    cancel(owner.run.pk, by=None)
    before = events_of(owner.run)

    assert cancel(owner.run.pk, by=None) == []
    assert events_of(owner.run) == before


def test_cancelling_a_finished_run_does_nothing(owner: Owner) -> None:
    owner.finish()

    assert cancel(owner.run.pk, by=None) == []
    owner.run.refresh_from_db()
    assert owner.run.status == RunStatus.SUCCEEDED


@pytest.mark.django_db(transaction=True)
def test_a_cancel_that_races_the_end_makes_one_end(run: CouncilRun) -> None:
    owner = Owner.of(run)

    in_parallel(owner.finish, *[lambda: cancel(run.pk, by=None) for _ in range(3)])

    run.refresh_from_db()
    ends = RunEvent.objects.filter(run=run, type="run_finished")
    assert [end.payload["status"] for end in ends] == [run.status]
    assert run.status in {RunStatus.SUCCEEDED, RunStatus.CANCELLED}
    assert Message.objects.filter(run=run).count() == (run.status == RunStatus.SUCCEEDED)


@pytest.mark.django_db(transaction=True)
def test_a_call_that_races_a_cancel_begins_before_it_or_not_at_all(run: CouncilRun) -> None:
    owner = Owner.of(run)
    keys = [f"opinion:agent_{number}" for number in range(1, 4)]

    in_parallel(
        *[lambda key=key: begin_call(owner.claim, ref(key), owner.target, attempt=1) for key in keys],
        lambda: cancel(run.pk, by=None),
    )

    types = [event["type"] for event in events_of(run)]
    assert types[-1] == "run_finished"
    assert [event["seq"] for event in events_of(run)] == list(range(1, len(types) + 1))


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_that_want_a_free_run_one_gets_it(run: CouncilRun) -> None:
    claims = in_parallel(*[lambda name=name: claim_run(run.pk, worker=f"w{name}") for name in range(6)])

    assert sum(claimed is not None for claimed in claims) == 1
    run.refresh_from_db()
    assert run.epoch == 1
