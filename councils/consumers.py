"""The live view's socket: a snapshot, then events in order, then whatever comes.

The database is the truth. What the hub brings is only faster: an event that follows the last one is passed on as it is, anything else
makes the consumer read the database, and it looks there every two seconds anyway. So a socket needs nothing of Redis: it uses no channel
layer of Channels, and what other processes say reaches the hub by this process's bridge.
"""

import asyncio
import json
from collections.abc import Mapping
from secrets import token_hex
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from councils.live import bridge
from councils.live.hub import Viewer, hub
from councils.live.messages import PASSED_ON, valid_run_id
from councils.services import watching
from councils.services.limiting import SOCKET_MESSAGES, take
from councils.services.veiling import Veil

POLL_S = 2.0
MAX_MESSAGE = 16 * 1024
QUEUE = 256

SIGN_IN_AGAIN = 4401
TOO_MANY_MESSAGES = 4429
# The standard's own 1009 and 1003 are not for applications: the server answers them with 1011, an error of its own.
TOO_BIG = 4413
NOT_TEXT = 4415


class RunConsumer(AsyncWebsocketConsumer):
    """One socket, at most one run at a time. Rights are checked on every message that asks for something and at every poll."""

    async def connect(self) -> None:
        self._run_id = ""
        self._seq = 0
        self._veil: Veil | None = None
        self._bucket = token_hex(8)
        self._inbox: asyncio.Queue[str] = asyncio.Queue(QUEUE)
        self._chores: list[asyncio.Task[None]] = []
        self._viewer = Viewer(asyncio.get_running_loop(), self._deliver)
        await self.accept()
        if not await database_sync_to_async(watching.still_signed_in)(self.scope):
            await self.close(SIGN_IN_AGAIN)

    async def disconnect(self, code: int) -> None:
        await self._leave()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        refusal = self._refusal(text_data)
        if text_data is None or refusal is not None:
            await self.close(refusal or NOT_TEXT)
            return
        message = _parse(text_data)
        match message.get("type"), message.get("run"), message.get("after", 0):
            case "ping", _, _:
                await self._say({"type": "pong"})
            case "subscribe", str(run_id), int(after) if 0 <= after < 2**31:
                await self._subscribe(run_id, int(after))
            case _:
                await self._complain("bad_message", "Send {type: subscribe, run: its id, after: the last seq you have} or {type: ping}.")

    def _refusal(self, text: str | None) -> int | None:
        """The close code for a message that is not even looked at."""
        if text is None:
            return NOT_TEXT
        if len(text) > MAX_MESSAGE:
            return TOO_BIG
        verdict = take(SOCKET_MESSAGES, self._bucket)
        return None if verdict is None or verdict.allowed else TOO_MANY_MESSAGES

    async def _subscribe(self, run_id: str, after: int) -> None:
        await self._leave()
        if not valid_run_id(run_id):
            await self._complain("not_found", "There is no such run.")
            return
        # First listen, then look: what happens in between is heard twice, not lost.
        self._run_id = run_id
        hub.subscribe(self._run_id, self._viewer)
        bridge.look()
        seen = await self._look(watching.snapshot)
        if seen is None:
            return
        self._seq, self._veil = min(after, seen.message["seq"]), seen.veil
        await self._say(seen.message)
        self._chores = [asyncio.create_task(self._forward()), asyncio.create_task(self._poll())]

    async def _leave(self) -> None:
        for task in self._chores:
            # The one that finds out that the viewer must go still has to tell them.
            if task is not asyncio.current_task():
                task.cancel()
        self._chores = []
        if self._run_id:
            hub.unsubscribe(self._run_id, self._viewer)
            bridge.look()
            self._run_id = ""
        while not self._inbox.empty():
            self._inbox.get_nowait()

    def _deliver(self, text: str) -> None:
        """Called on this socket's loop. A viewer too slow to keep up loses live messages, never events: those are read again."""
        if not self._inbox.full():
            self._inbox.put_nowait(text)

    async def _forward(self) -> None:
        while True:
            text = await self._inbox.get()
            if text.startswith(PASSED_ON):
                await self._pass_on(text)
                continue
            seq = _seq_of(text)
            if seq == self._seq + 1:
                self._seq = seq
                await self._pass_on(text)
            elif seq > self._seq:
                await self._catch_up()

    async def _pass_on(self, text: str) -> None:
        """A live message as this viewer may see it."""
        await self.send(text_data=self._veil.message(text) if self._veil else text)

    async def _poll(self) -> None:
        """Look at the database while the run lives. After its end nothing is sent any more, so that no right needs checking."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while await self._catch_up():
            # From look to look, however long one takes: what was missed is shown within these seconds. A late one is not made up for.
            due = max(due + POLL_S, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _catch_up(self) -> bool:
        """Send what the database has beyond what this viewer has. ``False`` when no more can come, or not to this viewer."""
        while news := await self._look(watching.news, self._seq):
            await self._hang(news.veil)
            for event in news.events:
                if event["seq"] == self._seq + 1:
                    self._seq += 1
                    await self._say({"type": "event", "run": self._run_id, "event": event})
            if not news.events:
                return bool(news.live)
        return False

    async def _hang(self, veil: Veil | None) -> None:
        """Take over the veil as it is now. Where it was lifted, the page has to read the run anew: it knows steps by other names."""
        was_veiled, self._veil = self._veil is not None, veil
        if was_veiled and veil is None:
            await self._say({"type": "changed", "run": self._run_id})

    async def _look(self, read: Any, *args: Any) -> Any:
        """Read something of the run in this user's name; ``None`` when they are signed out or must not see it."""
        try:
            return await database_sync_to_async(read)(self.scope, self._run_id, *args)
        except watching.SignedOut:
            await self._leave()
            await self.close(SIGN_IN_AGAIN)
        except watching.NotVisible:
            await self._complain("not_found", "There is no such run.")
            await self._leave()
        return None

    async def _complain(self, code: str, message: str) -> None:
        await self._say({"type": "error", "code": code, "message": message})

    async def _say(self, message: Mapping[str, Any]) -> None:
        await self.send(text_data=json.dumps(message))


def _seq_of(text: str) -> int:
    """The number of the event in a live message. One that cannot be read counts as far ahead: then the database is asked."""
    try:
        return int(json.loads(text)["event"]["seq"])
    except (ValueError, KeyError, TypeError):
        return 2**31


def _parse(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}
