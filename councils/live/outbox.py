"""Live messages on their way to other processes, through Redis' channels.

Live view is comfort: viewers find every event in the database within two seconds. So whatever Redis does, nobody waits here, and what it
does not take is dropped: a run is never slower for it, and no heap of messages grows.
"""

import asyncio
import logging
from collections import deque
from weakref import WeakKeyDictionary

from django.conf import settings
from redis.exceptions import RedisError

from councils.live.link import Backoff, Link, open_link

logger = logging.getLogger(__name__)

MOST_WAITING = 2_000
MOST_CHARS_WAITING = 8 * 2**20
BATCH = 100
SEND_S = 2.0
"""Seconds that Redis may take for a batch, connecting included."""


class Outbox:
    """What one event loop sends. Used on that loop only."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: deque[tuple[str, str]] = deque()
        self._chars = 0
        self._arrived = asyncio.Event()
        self._rest_until = 0.0
        self._backoff = Backoff()
        self._link: Link | None = None
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """Messages that were not taken yet."""
        return len(self._waiting)

    def put(self, channel: str, text: str) -> None:
        """Send it soon, or not at all. Returns at once."""
        resting = asyncio.get_running_loop().time() < self._rest_until
        if resting or len(self._waiting) >= MOST_WAITING or self._chars + len(text) > MOST_CHARS_WAITING:
            self.dropped += 1
            return
        self._waiting.append((channel, text))
        self._chars += len(text)
        self._arrived.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send())

    async def _send(self) -> None:
        """Send what comes for as long as the loop runs."""
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                while self._waiting:
                    await self._send_batch([self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))])
        finally:
            await self._hang_up()

    async def _send_batch(self, batch: list[tuple[str, str]]) -> None:
        self._chars -= sum(len(text) for _, text in batch)
        try:
            async with asyncio.timeout(SEND_S):
                await self._publish(batch)
        except (RedisError, OSError) as error:
            await self._fail(error, lost=len(batch))
        else:
            self._backoff.reset()

    async def _publish(self, batch: list[tuple[str, str]]) -> None:
        if self._link is None:
            self._link = open_link(self._url)
        link = self._link
        await link.send_packed_command(link.pack_commands([("PUBLISH", channel, text) for channel, text in batch]))
        for _ in batch:
            await link.read_response()

    async def _fail(self, error: Exception, *, lost: int) -> None:
        """Forget what waits, and stay away for a while: what comes meanwhile would come too late anyway."""
        rest_s = self._backoff.pause_s()
        self._rest_until = asyncio.get_running_loop().time() + rest_s
        lost += len(self._waiting)
        self.dropped += lost
        self._waiting.clear()
        self._chars = 0
        logger.warning("%d live messages not sent, none for %.1f s: %s: %s", lost, rest_s, type(error).__name__, error)
        await self._hang_up()

    async def _hang_up(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.disconnect(nowait=True)


_outboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, Outbox] = WeakKeyDictionary()


def put(channel: str, text: str) -> None:
    """Send a message to other processes, where there can be any. To be called on an event loop; returns at once."""
    if settings.REDIS_URL:
        loop = asyncio.get_running_loop()
        if loop not in _outboxes:
            _outboxes[loop] = Outbox(settings.REDIS_URL)
        _outboxes[loop].put(channel, text)
