"""Following a run from a terminal, whoever drives it."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from councils.live.hub import hub
from councils.management import following
from councils.management.board import Board
from councils.models import CouncilRun
from councils.services.asking import cancel_run
from councils.tests.api.rows import make_council, make_run, make_user

pytestmark = pytest.mark.django_db(transaction=True)


class Recorder:
    """A screen that remembers what it was shown."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.tails: list[str] = []
        self.news = asyncio.Event()

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put back."""

    def show(self, board: Board, event: Mapping[str, Any] | None) -> None:
        if event is not None:
            self.events.append(event["type"])
        else:
            self.tails.append(board.lines["opinion:agent_1"].tail)
        self.news.set()

    def finish(self, board: Board, end: Mapping[str, Any]) -> None:
        """Nothing to show."""


@pytest.fixture
def run() -> CouncilRun:
    return make_run(make_user("ada"), make_council())


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK_EVERY_S", 0.02)


def board_of(run: CouncilRun) -> Board:
    board = Board.of(run.spec_seats())
    started = {"type": "call_started", "key": "opinion:agent_1", "agent_id": "agent_1", "attempt": 1, "model": "small"}
    board.take(started)
    return board


async def until(screen: Recorder, what: str) -> None:
    async with asyncio.timeout(20):
        while not (what in screen.events or what in screen.tails):
            screen.news.clear()
            await screen.news.wait()


async def test_a_run_that_another_process_ends_is_seen_in_the_database(run: CouncilRun, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing is told in this process, as if the run's owner and who cancels it were elsewhere.
    monkeypatch.setattr(hub, "send", lambda *_: None)
    screen = Recorder()
    watching = asyncio.create_task(following.follow(run, board_of(run), screen))
    await until(screen, "run_queued")

    await sync_to_async(cancel_run)(run=run, by=run.owner)
    end = await watching

    assert (end["type"], end["status"]) == ("run_finished", "cancelled")
    assert screen.events == ["run_queued", "run_finished"]


async def test_text_is_shown_as_this_process_writes_it(run: CouncilRun) -> None:
    screen = Recorder()
    watching = asyncio.create_task(following.follow(run, board_of(run), screen))
    await until(screen, "run_queued")

    for offset, piece in ((0, "It "), (3, "scatters.")):
        hub.send(run.public_id, json.dumps({"type": "delta", "run": run.public_id, "items": [["opinion:agent_1", 1, offset, piece]]}))
    await until(screen, "It scatters.")
    await sync_to_async(cancel_run)(run=run, by=run.owner)
    await watching

    assert screen.tails[-1] == "It scatters."


async def test_an_event_is_read_once_however_often_it_is_told(run: CouncilRun) -> None:
    screen = Recorder()
    watching = asyncio.create_task(following.follow(run, board_of(run), screen))
    await until(screen, "run_queued")

    for _ in range(3):
        hub.send(run.public_id, json.dumps({"type": "event", "run": run.public_id, "event": {"seq": 1, "type": "run_queued"}}))
    await sync_to_async(cancel_run)(run=run, by=run.owner)
    await watching

    assert screen.events == ["run_queued", "run_finished"]


async def test_a_run_that_had_ended_before_is_told_to_its_end(run: CouncilRun) -> None:
    await sync_to_async(cancel_run)(run=run, by=run.owner)
    screen = Recorder()

    end = await following.follow(run, board_of(run), screen)

    assert end["status"] == "cancelled"
    assert screen.events == ["run_queued", "run_finished"]


async def test_nobody_listens_any_more_afterwards(run: CouncilRun) -> None:
    await sync_to_async(cancel_run)(run=run, by=run.owner)

    await following.follow(run, board_of(run), Recorder())

    assert run.public_id not in hub._viewers
