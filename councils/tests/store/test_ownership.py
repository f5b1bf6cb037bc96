"""A run has one owner at a time. Who dies is replaced, who was replaced writes nothing."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from councils.engine.types import RunStatus, StepStatus
from councils.models import CallStatus, CouncilRun
from councils.store.calls import StepWrite
from councils.store.claims import claim_run, live_runs, orphan_calls_of_ended_run, stray_calls
from councils.store.ownership import Claim, Life, LostRun, release, show_life
from councils.store.runs import cancel
from councils.store.steps import mark_late, record_step, save_tally
from councils.tests.factories import make_run
from councils.tests.store.support import FAILED, Owner, call_of, done, events_of, ref, step_of

KEY = "opinion:agent_1"
OVERDUE = StepWrite(status=StepStatus.FAILED, error_kind="timeout")


def test_a_queued_run_is_free_and_its_first_owner_starts_it(run: CouncilRun) -> None:
    assert [(live.pk, live.free) for live in live_runs()] == [(run.pk, True)]

    Owner.of(run)

    assert [live.free for live in live_runs()] == [False]
    assert [event["type"] for event in events_of(run)] == ["run_queued", "run_started"]


def test_an_owned_run_is_not_given_to_another(owner: Owner) -> None:
    assert claim_run(owner.run.pk, worker="second") is None


def test_an_owner_that_has_shown_life_since_it_was_watched_keeps_its_run(owner: Owner) -> None:
    (watched,) = live_runs()
    assert owner.is_alive()

    assert claim_run(owner.run.pk, worker="second", dead=watched.sign) is None


def test_of_two_that_saw_the_same_death_one_takes_the_run(owner: Owner) -> None:
    (watched,) = live_runs()

    claims = [claim_run(owner.run.pk, worker=name, dead=watched.sign) for name in ("second", "third")]

    assert [claimed is not None for claimed in claims] == [True, False]


def test_a_released_run_may_be_taken_at_once_and_nobody_has_died(owner: Owner) -> None:
    release(owner.claim, elapsed_ms=1234)

    claimed = claim_run(owner.run.pk, worker="second")

    assert claimed is not None
    assert claimed.elapsed_ms == 1234
    owner.run.refresh_from_db()
    assert owner.run.barren_deaths == 0


def test_a_replaced_owner_learns_it_from_its_heartbeat(owner: Owner) -> None:
    assert owner.is_alive()
    Owner.of(owner.run, worker="second")

    assert not owner.is_alive()


def test_an_owner_shows_life_for_all_its_runs_at_once_and_learns_which_are_lost(
    run: CouncilRun, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    kept, lost, ended, other = owners = [Owner.of(run), *(Owner.of(make_run(status=RunStatus.QUEUED)) for _ in range(3))]
    Owner.of(lost.run, worker="second")
    cancel(ended.run.pk, by=None)
    before = {live.pk: live.sign for live in live_runs()}

    # Two statements, and the savepoint that stands for the transaction here.
    with django_assert_num_queries(4):
        told = show_life([Life(owner.claim, 10 * number) for number, owner in enumerate(owners, start=1)])

    assert told == [lost.run.pk, ended.run.pk]
    changed = {live.pk for live in live_runs() if live.sign != before[live.pk]}
    assert changed == {kept.run.pk, other.run.pk}
    assert [CouncilRun.objects.get(pk=owner.run.pk).elapsed_ms for owner in owners] == [10, 0, 0, 40]


def test_a_run_that_is_not_there_any_more_is_lost(db: None) -> None:
    assert show_life([Life(Claim(999_999, "gone", 1), 1)]) == [999_999]


def test_a_replaced_owner_cannot_release_the_run_of_its_successor(owner: Owner) -> None:
    second = Owner.of(owner.run, worker="second")

    release(owner.claim, elapsed_ms=1)

    assert second.is_alive()
    assert [live.free for live in live_runs()] == [False]


def test_a_replaced_owner_writes_nothing(owner: Owner) -> None:
    owner.begin("opinion:agent_1")
    Owner.of(owner.run, worker="second")
    before = events_of(owner.run)

    writes: list[Callable[[], object]] = [
        lambda: mark_late(owner.claim, [ref("opinion:agent_1")]),
        lambda: record_step(owner.claim, ref("opinion:agent_1"), done()),
        lambda: save_tally(owner.claim, ref("opinion:agent_1"), {}),
        owner.finish,
    ]
    for write in writes:
        with pytest.raises(LostRun):
            write()
    assert events_of(owner.run) == before
    assert step_of(owner.run, "opinion:agent_1").status == StepStatus.RUNNING


def test_a_successor_is_told_what_is_there_and_how_often_each_step_was_tried(owner: Owner) -> None:
    owner.answer("opinion:agent_1")
    owner.settle("opinion:agent_2", owner.begin("opinion:agent_2"), FAILED)
    owner.begin("opinion:agent_2", attempt=2)

    claimed = claim_run(owner.run.pk, worker="second", dead=live_runs()[0].sign)

    assert claimed is not None
    assert [step.key for step in claimed.steps] == ["opinion:agent_1"]
    assert claimed.attempts == {"opinion:agent_1": 1, "opinion:agent_2": 2}
    assert (claimed.events[0]["type"], claimed.events[0]["orphaned_calls"]) == ("run_resumed", 1)


def test_calls_of_a_dead_owner_are_closed_as_orphans_of_unknown_cost(owner: Owner) -> None:
    begun = owner.begin("opinion:agent_1")

    Owner.of(owner.run, worker="second")

    assert (call_of(begun).status, call_of(begun).cost_usd) == (CallStatus.ORPHANED, None)


def test_an_orphan_of_a_free_model_costs_nothing(owner: Owner) -> None:
    begun = owner.begin("opinion:agent_1")
    type(call_of(begun)).objects.filter(pk=begun.call_pk).update(input_price=0, output_price=0)

    Owner.of(owner.run, worker="second")

    owner.run.refresh_from_db()
    assert (call_of(begun).cost_usd, owner.run.unknown_costs) == (Decimal(0), 0)


def test_three_deaths_without_progress_end_the_run(owner: Owner) -> None:
    Owner.of(owner.run, worker="second")
    Owner.of(owner.run, worker="third")

    assert claim_run(owner.run.pk, worker="fourth", dead=live_runs()[0].sign) is None

    owner.run.refresh_from_db()
    assert owner.run.status == RunStatus.FAILED
    assert "failed 3 times" in owner.run.reason
    assert events_of(owner.run)[-1]["type"] == "run_finished"


def test_progress_makes_earlier_deaths_forgotten(owner: Owner) -> None:
    Owner.of(owner.run, worker="second")
    third = Owner.of(owner.run, worker="third")
    third.answer("opinion:agent_1")
    Owner.of(owner.run, worker="fourth")
    Owner.of(owner.run, worker="fifth")

    owner.run.refresh_from_db()
    assert (owner.run.status, owner.run.barren_deaths) == (RunStatus.RUNNING, 2)


@pytest.mark.parametrize(
    "step_on", [lambda owner: mark_late(owner.claim, [ref(KEY)]), lambda owner: record_step(owner.claim, ref(KEY), OVERDUE)]
)
def test_giving_a_step_up_is_progress_too(owner: Owner, step_on: Callable[[Owner], object]) -> None:
    second = Owner.of(owner.run, worker="second")
    second.begin(KEY)

    step_on(second)

    owner.run.refresh_from_db()
    assert owner.run.barren_deaths == 0


def test_a_failed_try_is_no_progress(owner: Owner) -> None:
    second = Owner.of(owner.run, worker="second")
    second.settle("opinion:agent_1", second.begin("opinion:agent_1"), FAILED)

    owner.run.refresh_from_db()
    assert owner.run.barren_deaths == 1


def test_an_ended_run_is_never_claimed_again(owner: Owner) -> None:
    owner.finish()

    assert live_runs() == []
    assert claim_run(owner.run.pk, worker="second", dead=(1, 0)) is None


def test_calls_left_open_by_an_owner_that_died_after_a_cancel_are_closed(owner: Owner) -> None:
    begun = owner.begin("opinion:agent_1")
    cancel(owner.run.pk, by=None)
    assert stray_calls() == {owner.run.pk: [begun.call_pk]}

    orphan_calls_of_ended_run(owner.run.pk, [begun.call_pk])

    owner.run.refresh_from_db()
    assert (call_of(begun).status, owner.run.unknown_costs, stray_calls()) == (CallStatus.ORPHANED, 1, {})


def test_open_calls_of_a_living_run_are_no_strays(owner: Owner) -> None:
    owner.begin("opinion:agent_1")

    assert stray_calls() == {}
