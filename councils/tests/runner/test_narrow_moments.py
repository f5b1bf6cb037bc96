"""Moments in which two things meet: a step is given up while it waits for its turn, a run is stopped while an answer is being booked."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import pytest

from councils.engine.types import CompletionRequest, RunStatus, StepStatus
from councils.models import CallStatus, EntryKind, LedgerEntry, ModelCall, Provider, RunStep
from councils.providers.scripted import Answer, Reply
from councils.runner import booking
from councils.store.calls import settle_call
from councils.store.claims import claim_run, live_runs
from councils.tests.runner.lives import FaultyWriter, audit_scripted, drive, play
from councils.tests.runner.scripts import Scripted, by_seat, except_for

Stage = Callable[..., Scripted]
T = TypeVar("T")


def slow(request: CompletionRequest, call: int) -> Answer:
    return Reply(text="At last.", delay_s=2) if request.schema is None else by_seat(request, call)


def test_a_step_that_is_given_up_while_it_waits_for_its_turn_is_never_called(scripted: Stage) -> None:
    council = scripted(except_for("seat3", slow), seats=4, quorum=2, soft_deadline_s=0)
    Provider.objects.update(max_parallel_calls=1)

    run = play(council.ask()).run

    # The third seat holds the only line when the council stops waiting for both.
    waiting = RunStep.objects.get(run=run, key="opinion:agent_4")
    assert (waiting.status, waiting.text, waiting.calls.count()) == (StepStatus.LATE, "", 0)
    assert council.asked("seat4") == []
    assert run.status == RunStatus.SUCCEEDED
    assert "degraded" in run.marks
    assert audit_scripted(run, council.provider).problems == []


class Gate(FaultyWriter):
    """A writer that holds the first booking of a result back until it is let through. ``held`` is the number of its call."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.open = asyncio.Event(), asyncio.Event()
        self.held = 0

    async def _do(self, turn: Any, work: "partial[T]") -> T:
        if work.func is settle_call and not self.reached.is_set():
            self.reached.set()
            self.held = work.args[2].call_pk
            await self.open.wait()
        return await super()._do(turn, work)


async def stop_while_booking(run_pk: int) -> int:
    """Drive a run and hand it over in the moment in which the first answer is being booked. Returns the number of that call."""
    writer = Gate()
    try:
        driving = asyncio.create_task(drive(run_pk, writer))
        await writer.reached.wait()
        driving.cancel()
        # The cancel has gone all the way down before the booking goes on.
        for _ in range(20):
            await asyncio.sleep(0)
        writer.open.set()
        (outcome,) = await asyncio.gather(driving, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError)
    finally:
        writer.close()
    return writer.held


def test_an_answer_that_is_being_booked_when_its_run_is_stopped_is_kept_and_paid_once(scripted: Stage) -> None:
    council = scripted()
    run = council.ask()

    booked = ModelCall.objects.get(pk=asyncio.run(stop_while_booking(run.pk)))

    assert booked.status == CallStatus.DONE
    assert booked.step.status == StepStatus.DONE
    assert booked.step.text == f"The answer of {booked.model_name.removeprefix('fake:name=')}."
    assert LedgerEntry.objects.filter(call=booked).count() == 1
    run.refresh_from_db()
    assert (run.worker, run.status) == ("", RunStatus.RUNNING)

    ended = play(run).run

    assert ended.status == RunStatus.SUCCEEDED
    assert ModelCall.objects.filter(run=run, step=booked.step).count() == 1
    assert audit_scripted(ended, council.provider).problems == []


async def take_while_booking(run_pk: int) -> None:
    """Drive a run that another worker takes in the moment in which the first answer is being booked."""
    writer = Gate()
    try:
        driving = asyncio.create_task(drive(run_pk, writer))
        await writer.reached.wait()
        (watched,) = await writer(live_runs)
        assert await writer(claim_run, run_pk, worker="second", dead=watched.sign) is not None
        writer.open.set()
        await driving
    finally:
        await asyncio.to_thread(writer.close)


def test_a_call_that_was_taken_for_lost_and_comes_home_is_not_counted_again(scripted: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[bool] = []
    monkeypatch.setattr(booking, "call_ended", lambda *_, **how: counted.append(how["counted"]))
    run = scripted().ask()

    asyncio.run(take_while_booking(run.pk))

    assert counted.count(True) == LedgerEntry.objects.filter(kind=EntryKind.CORRECTED).count() > 0
