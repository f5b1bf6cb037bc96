"""Who drives a run: found by the scan, handed over at a stop, taken over after a death, never twice."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError

from councils.engine.types import RunStatus
from councils.models import CallStatus, CouncilRun, ModelCall
from councils.runner import host, writer
from councils.runner.host import EngineHost, Watch
from councils.store.claims import LiveRun, claim_run
from councils.tests.durability.support import Asker, ended, event_types, speaking, step, wait_until

# Long enough to be in the middle of, short enough to wait for.
STEADY = "tokens=40,rate=40"
# Still writing when the test is over.
ENDLESS = "tokens=2000,rate=20"


def writing(run: CouncilRun) -> bool:
    """Whether calls of this run are under way."""
    return ModelCall.objects.filter(run=run, status=CallStatus.SENDING).exists()


@contextmanager
def another_engine() -> Iterator[EngineHost]:
    engine = EngineHost()
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


def test_a_run_that_was_asked_while_no_engine_ran_is_found(ask: Asker, quick_engine: None) -> None:
    run = ask("", "", "")

    with another_engine():
        assert ended(run).status == RunStatus.SUCCEEDED


def test_a_stop_hands_the_run_over_at_once(ask: Asker, engine: EngineHost, settings: Any) -> None:
    # With this lease a take-over after a death would take longer than the test has patience.
    settings.RUN_LEASE_TTL_S = 600.0
    run = ask(STEADY, STEADY, STEADY)
    wait_until(lambda: writing(run), "the calls have begun")

    engine.stop()

    run.refresh_from_db()
    assert (run.worker, run.status) == ("", RunStatus.RUNNING)
    assert not writing(run)
    with another_engine():
        assert ended(run).status == RunStatus.SUCCEEDED
    assert (run.barren_deaths, event_types(run).count("run_resumed")) == (0, 1)


def test_calls_that_a_stop_cuts_off_are_booked_as_cancelled(ask: Asker, engine: EngineHost) -> None:
    run = ask(ENDLESS, ENDLESS, ENDLESS)
    wait_until(lambda: speaking(run) == 3, "all seats write")

    engine.stop()

    calls = ModelCall.objects.filter(run=run)
    assert {call.status for call in calls} == {CallStatus.CANCELLED}
    assert all(call.cost_usd is not None for call in calls)
    wait_until(lambda: len(ask.log_of(run)) == 3, "the provider sees its clients leave")
    assert {entry.outcome for entry in ask.log_of(run)} == {"aborted"}


def test_a_run_whose_claim_was_under_way_at_the_stop_is_free(ask: Asker, quick_engine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    claiming, go_on = threading.Event(), threading.Event()

    def slow_claim(*args: Any, **kwargs: Any) -> Any:
        claiming.set()
        go_on.wait(10)
        return claim_run(*args, **kwargs)

    monkeypatch.setattr(host, "claim_run", slow_claim)
    run = ask("", "", "")
    with another_engine() as engine:
        claiming.wait(10)
        threading.Timer(0.2, go_on.set).start()
        engine.stop()

    run.refresh_from_db()
    assert run.worker == ""


def test_a_run_is_taken_over_from_an_engine_that_shows_no_life(ask: Asker, quick_engine: None) -> None:
    run = ask("", "", "")
    CouncilRun.objects.filter(pk=run.pk).update(worker="a dead one", epoch=7, status="running")

    with another_engine():
        assert ended(run).status == RunStatus.SUCCEEDED
    assert run.epoch == 8


def test_an_engine_whose_run_was_taken_stops_its_calls(ask: Asker, engine: EngineHost) -> None:
    run = ask(ENDLESS, ENDLESS, ENDLESS)
    wait_until(lambda: writing(run), "the calls have begun")

    CouncilRun.objects.filter(pk=run.pk).update(epoch=99, worker="another")

    wait_until(lambda: not writing(run), "the calls are closed and booked")
    run.refresh_from_db()
    assert (run.epoch, run.worker, run.status) == (99, "another", RunStatus.RUNNING)


def test_two_engines_that_see_the_same_runs_drive_each_once(ask: Asker, engine: EngineHost) -> None:
    with another_engine():
        council = ask.council("", "", "")
        runs = [ended(run) for run in [ask.put(council) for _ in range(6)]]

    assert [run.status for run in runs] == [RunStatus.SUCCEEDED] * 6
    assert [run.epoch for run in runs] == [1] * 6


@pytest.mark.django_db(transaction=True)
def test_starting_and_stopping_an_engine_twice_does_nothing_more() -> None:
    engine = EngineHost()
    engine.stop()
    engine.start()
    threads = threading.active_count()
    engine.start()

    assert threading.active_count() == threads
    engine.stop()
    engine.stop()
    assert not engine.running


class Outage:
    """A database that is away until it is told to be back: every commit of the writer fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.away = threading.Event()
        self.refused = 0
        attempt = writer.Writer._attempt

        def refuse_while_away(job: Any) -> None:
            if self.away.is_set():
                self.refused += 1
                raise OperationalError("server closed the connection unexpectedly")
            attempt(job)

        monkeypatch.setattr(writer.Writer, "_attempt", staticmethod(refuse_while_away))

    def last(self, writes: int) -> None:
        """Be away until this many writes were refused."""
        before = self.refused
        self.away.set()
        wait_until(lambda: self.refused - before >= writes, "writes are refused")
        self.away.clear()


def test_a_database_that_is_away_for_a_moment_costs_no_answer(ask: Asker, engine: EngineHost, monkeypatch: pytest.MonkeyPatch) -> None:
    outage = Outage(monkeypatch)
    run = ask(STEADY, STEADY, STEADY)
    wait_until(lambda: writing(run), "the calls have begun")

    outage.last(4)

    assert ended(run).status == RunStatus.SUCCEEDED
    assert {call.status for call in ModelCall.objects.filter(run=run)} == {CallStatus.DONE}
    assert (len(ask.log_of(run)), run.epoch) == (7, 1)


def test_a_broken_run_does_not_take_others_with_it(ask: Asker, engine: EngineHost) -> None:
    broken = ask("", "", "")
    CouncilRun.objects.filter(pk=broken.pk).update(config_snapshot={"format": 99})
    good = ask("", "", "", slug="good")

    assert ended(good).status == RunStatus.SUCCEEDED


def test_a_run_that_breaks_every_owner_is_given_up(ask: Asker, quick_engine: None) -> None:
    run = ask("", "", "")
    CouncilRun.objects.filter(pk=run.pk).update(config_snapshot={"format": 99})

    with another_engine():
        assert ended(run).status == RunStatus.FAILED
    assert not ModelCall.objects.filter(run=run).exists()


def test_calls_left_by_a_death_after_the_end_of_a_run_are_swept_up(ask: Asker, engine: EngineHost) -> None:
    run = ended(ask("", "", ""))
    ModelCall.objects.create(run=run, step=step(run, "synthesis"), attempt=9, epoch=1, model_name="m", provider_name="p")

    wait_until(lambda: not writing(run), "the stray call is closed")


@pytest.mark.parametrize("jump_s", [-3600.0, 3600.0])
def test_a_step_of_the_wall_clock_changes_nothing(ask: Asker, engine: EngineHost, monkeypatch: pytest.MonkeyPatch, jump_s: float) -> None:
    run = ask(STEADY, STEADY, STEADY)
    wait_until(lambda: writing(run), "the calls have begun")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump_s)

    assert ended(run).status == RunStatus.SUCCEEDED
    assert run.epoch == 1


def live_run(*, beat: int, epoch: int = 1, free: bool = False) -> LiveRun:
    return LiveRun(pk=1, sign=(epoch, beat), free=free)


def test_an_owner_is_dead_when_its_sign_has_not_changed_for_the_lease() -> None:
    watch = Watch(ttl_s=10)

    assert watch.dead([live_run(beat=5)], now=100) == {}
    assert watch.dead([live_run(beat=5)], now=109.9) == {}
    assert watch.dead([live_run(beat=5)], now=110) == {1: (1, 5)}


@pytest.mark.parametrize("changed", [live_run(beat=6), live_run(beat=5, epoch=2), live_run(beat=4)])
def test_any_change_of_its_sign_shows_that_an_owner_lives(changed: LiveRun) -> None:
    watch = Watch(ttl_s=10)
    watch.dead([live_run(beat=5)], now=100)

    assert watch.dead([changed], now=111) == {}
    assert watch.dead([changed], now=121) == {1: changed.sign}


def test_a_watcher_counts_from_when_it_first_looked_not_from_what_is_written() -> None:
    assert Watch(ttl_s=10).dead([live_run(beat=5)], now=1_000_000) == {}


def test_a_free_run_may_be_claimed_at_the_first_look() -> None:
    assert Watch(ttl_s=10).dead([live_run(beat=0, free=True)], now=0) == {1: None}


def test_a_run_that_is_gone_is_forgotten() -> None:
    watch = Watch(ttl_s=10)
    watch.dead([live_run(beat=5)], now=100)
    watch.dead([], now=105)

    assert watch.dead([live_run(beat=5)], now=111) == {}


def test_time_in_which_nobody_could_look_is_not_held_against_an_owner() -> None:
    watch = Watch(ttl_s=10, longest_gap_s=2)
    watch.dead([live_run(beat=5)], now=100)

    # The database was away for a minute, and nobody could show life either.
    assert watch.dead([live_run(beat=5)], now=160) == {}
    assert watch.dead([live_run(beat=5)], now=162) == {}
    assert watch.dead([live_run(beat=5)], now=164) == {}
    assert watch.dead([live_run(beat=5)], now=166) == {}
    assert watch.dead([live_run(beat=5)], now=168) == {1: (1, 5)}
