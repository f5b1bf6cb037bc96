"""A cancel ends a run at any point: no call begins after it, those in flight are closed and booked."""

from collections.abc import Callable
from typing import Any

import pytest

from councils.engine.types import RunStatus
from councils.models import CallStatus, CouncilRun, ModelCall
from councils.runner.host import EngineHost
from councils.services.asking import cancel_run
from councils.tests.durability.support import Asker, ended, event_types, speaking, wait_until

# Still writing when the test is over.
ENDLESS = "tokens=2000,rate=20"


def open_calls(run: CouncilRun) -> int:
    return ModelCall.objects.filter(run=run, status=CallStatus.SENDING).count()


def calls(run: CouncilRun, key: str = "") -> int:
    return ModelCall.objects.filter(run=run, step__key__startswith=key).count()


def in_opinions(ask: Asker) -> CouncilRun:
    run = ask(ENDLESS, ENDLESS, ENDLESS)
    wait_until(lambda: speaking(run) == 3, "all seats write")
    return run


def in_review(ask: Asker) -> CouncilRun:
    # Every second request to a model is a review, and each of those is slow.
    run = ask(*["slow_every=2,slow_by=1000,rate=1000"] * 3)
    wait_until(lambda: calls(run, "review") == 3, "the reviews have begun")
    return run


def in_synthesis(ask: Asker) -> CouncilRun:
    # The chairman is the model of the first seat: its third request is the synthesis.
    run = ask("slow_every=3,slow_by=1000,rate=1000", "", "")
    wait_until(lambda: calls(run, "synthesis") == 1, "the chairman has begun")
    return run


def in_retry(ask: Asker) -> CouncilRun:
    run = ask(*["fault=429,retry_after=50"] * 3)
    wait_until(lambda: event_types(run).count("call_failed") == 3, "the seats wait before they try again")
    return run


def waiting_for_a_slot(ask: Asker) -> CouncilRun:
    council = ask.council(ENDLESS, ENDLESS, ENDLESS)
    provider = council.chairman_model.provider
    type(provider).objects.filter(pk=provider.pk).update(max_parallel_calls=1)
    run = ask.put(council)
    wait_until(lambda: speaking(run) == 1, "one seat writes")
    return run


POINTS = [in_opinions, in_review, in_synthesis, in_retry, waiting_for_a_slot]


@pytest.mark.parametrize("at", POINTS)
def test_a_cancel_ends_the_run_wherever_it_is(ask: Asker, engine: EngineHost, at: Callable[[Asker], CouncilRun]) -> None:
    run = at(ask)

    assert cancel_run(run=run, by=ask.user)

    begun = calls(run)
    wait_until(lambda: not open_calls(run), "the calls in flight are closed and booked")
    assert ended(run).status == RunStatus.CANCELLED
    assert event_types(run)[-1] == "run_finished"
    assert calls(run) == begun
    assert all(call.cost_usd is not None for call in ModelCall.objects.filter(run=run))


@pytest.mark.parametrize("at", [in_opinions, in_synthesis])
def test_the_provider_sees_that_the_client_left(ask: Asker, engine: EngineHost, at: Callable[[Asker], CouncilRun]) -> None:
    run = at(ask)
    wait_until(lambda: speaking(run) >= 1, "somebody writes")

    cancel_run(run=run, by=ask.user)

    wait_until(lambda: any(entry.outcome == "aborted" for entry in ask.log_of(run)), "the connection is closed")


def test_a_queued_run_is_cancelled_before_it_begins(ask: Asker, quick_engine: None) -> None:
    run = ask("", "", "")

    cancel_run(run=run, by=ask.user)

    engine = EngineHost()
    engine.start()
    engine.stop()
    assert ended(run).status == RunStatus.CANCELLED
    assert (calls(run), event_types(run)) == (0, ["run_queued", "run_finished"])


def test_a_cancel_from_another_process_is_seen_by_the_heartbeat(ask: Asker, engine: EngineHost, monkeypatch: Any) -> None:
    run = in_opinions(ask)
    monkeypatch.setattr("councils.tasks.nudge", lambda *_: None)

    cancel_run(run=run, by=ask.user)

    wait_until(lambda: not open_calls(run), "the owner finds out")
    assert {call.status for call in ModelCall.objects.filter(run=run)} == {CallStatus.CANCELLED}


def test_the_end_of_one_run_leaves_others_alone(ask: Asker, engine: EngineHost) -> None:
    unlucky = in_opinions(ask)
    lucky = ask("", "", "", slug="lucky")

    cancel_run(run=unlucky, by=ask.user)

    assert ended(lucky).status == RunStatus.SUCCEEDED


def test_cancelling_an_ended_run_says_that_it_had_ended(ask: Asker, engine: EngineHost) -> None:
    run = ended(ask("", "", ""))

    assert not cancel_run(run=run, by=ask.user)
    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED


def test_what_the_seats_had_written_is_kept_and_viewers_are_told(ask: Asker, engine: EngineHost, monkeypatch: pytest.MonkeyPatch) -> None:
    run = in_opinions(ask)
    told: list[str] = []
    monkeypatch.setattr("councils.live.hub.hub.send", lambda _run, text: told.append(text))

    cancel_run(run=run, by=ask.user)

    wait_until(lambda: not open_calls(run), "the calls are booked")
    steps = list(run.steps.all())
    assert {step.status for step in steps} == {"cancelled"}
    assert all(step.text for step in steps)
    wait_until(lambda: any('"changed"' in text for text in told), "viewers hear that there is more to read")
