"""What other processes tell about the runs that are watched here: one connection to Redis for all viewers of a process.

Sockets open and serve without it. When it is away, viewers find events in the database at their next look; it comes back by itself.
"""

import asyncio
import contextlib
import logging
from weakref import WeakKeyDictionary

from django.conf import settings
from redis.exceptions import RedisError

from councils.live.hub import hub
from councils.live.link import CONNECT_TIMEOUT_S, Backoff, Link, open_link
from councils.live.messages import PROCESS_ID, channel_name, run_of_channel

logger = logging.getLogger(__name__)

PING_S = 5.0
SILENCE_S = 8.0
"""A connection on which nothing came for so long is dead, whatever the kernel says: a ping was not answered."""


class Bridge:
    """Lives on one event loop, that of the sockets. Everything but the task itself is called there and returns at once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._backoff = Backoff()
        self.listening: frozenset[str] = frozenset()

    def look(self) -> None:
        """Other runs are watched than before."""
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._stay_connected())

    async def _stay_connected(self) -> None:
        while True:
            link = open_link(self._url)
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await link.connect()
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._hear(link))
                    both.create_task(self._ask(link))
            except* (RedisError, OSError) as failures:
                pause_s = self._backoff.pause_s()
                error = failures.exceptions[0]
                logger.warning("no live messages from other processes for %.1f s: %s: %s", pause_s, type(error).__name__, error)
            finally:
                self.listening = frozenset()
                await link.disconnect(nowait=True)
            await asyncio.sleep(pause_s)

    async def _hear(self, link: Link) -> None:
        while True:
            async with asyncio.timeout(SILENCE_S):
                said = await link.read_response()
            self._backoff.reset()
            match said:
                case [b"message", bytes(channel), bytes(data)]:
                    _pass_on(channel.decode(), data.decode(errors="replace"))

    async def _ask(self, link: Link) -> None:
        """Subscribe to what is watched, as it changes, and knock now and then.

        Only a knock puts off the next one: viewers that come and go may change nothing, so that Redis has nothing to answer.
        """
        loop = asyncio.get_running_loop()
        knock_at = loop.time() + PING_S
        while True:
            self._changed.clear()
            wanted = hub.watched()
            if new := wanted - self.listening:
                await link.send_command("SUBSCRIBE", *map(channel_name, sorted(new)))
            if gone := self.listening - wanted:
                await link.send_command("UNSUBSCRIBE", *map(channel_name, sorted(gone)))
            self.listening = wanted
            if loop.time() >= knock_at:
                await link.send_command("PING")
                knock_at = loop.time() + PING_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(knock_at):
                    await self._changed.wait()


def _pass_on(channel: str, data: str) -> None:
    sender, _, text = data.partition(" ")
    # What this process sent has come by the shorter way already.
    if sender != PROCESS_ID:
        hub.send(run_of_channel(channel), text)


_bridges: WeakKeyDictionary[asyncio.AbstractEventLoop, Bridge] = WeakKeyDictionary()


def look() -> None:
    """Have the runs that are watched in this process listened to, where others may drive them. To be called on the sockets' event loop."""
    if settings.REDIS_URL:
        loop = asyncio.get_running_loop()
        if loop not in _bridges:
            _bridges[loop] = Bridge(settings.REDIS_URL)
        _bridges[loop].look()
