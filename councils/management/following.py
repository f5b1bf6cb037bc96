"""Following a run from a terminal: events from the database, text as it is written from this process's engine."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from asgiref.sync import sync_to_async

from councils.engine.events import EventType
from councils.live.hub import Viewer, hub
from councils.management.board import Board
from councils.management.screens import Screen
from councils.models import CouncilRun
from councils.store.events import Event, events_after

# Another process may drive the run, and then nothing but the database tells of it.
LOOK_EVERY_S = 0.5


async def follow(run: CouncilRun, board: Board, screen: Screen) -> Event:
    """Show a run until it has ended; returns its last event."""
    after = 0
    async with _messages(run.public_id) as inbox:
        while True:
            for event in await sync_to_async(_news)(run.pk, after):
                after = event["seq"]
                board.take(event)
                screen.show(board, event)
                if event["type"] == EventType.RUN_FINISHED:
                    return event
            await _watch(inbox, board, screen)


async def _watch(inbox: asyncio.Queue[str], board: Board, screen: Screen) -> None:
    """Show text until an event says that there is something to read, or it is time to look."""
    try:
        async with asyncio.timeout(LOOK_EVERY_S):
            while True:
                message = json.loads(await inbox.get())
                if message["type"] == "event":
                    return
                _write(message["items"], board)
                screen.show(board, None)
    except TimeoutError:
        return


def _write(items: Sequence[Sequence[Any]], board: Board) -> None:
    for key, attempt, _offset, text in items:
        board.write(key, attempt, text)


def _news(run_pk: int, after: int) -> list[Event]:
    # The answer is read after the events that may bring it, so it is deferred here.
    return events_after(CouncilRun.objects.only("pk").get(pk=run_pk), after)


@asynccontextmanager
async def _messages(run_id: str) -> AsyncIterator[asyncio.Queue[str]]:
    """What this process's engine tells about a run."""
    inbox: asyncio.Queue[str] = asyncio.Queue()
    viewer = Viewer(asyncio.get_running_loop(), inbox.put_nowait)
    hub.subscribe(run_id, viewer)
    try:
        yield inbox
    finally:
        hub.unsubscribe(run_id, viewer)
