"""Plain connections to Redis for live messages, with bounds on every wait, and the pauses after a failure."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from redis.asyncio.connection import ConnectionPool

CONNECT_TIMEOUT_S = 2.0
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0


class Link(Protocol):
    """What of the library's connection is used."""

    async def connect(self) -> None: ...
    async def send_command(self, *args: str) -> None: ...
    def pack_commands(self, commands: Iterable[Iterable[str]]) -> list[bytes]: ...
    async def send_packed_command(self, command: list[bytes]) -> None: ...
    async def read_response(self) -> Any: ...
    async def disconnect(self, *, nowait: bool) -> None: ...


def open_link(url: str) -> Link:
    """A raw connection that is not connected yet: replies are what the protocol (RESP2) says, in bytes.

    A client of the library would retry by itself and hide what happened; those who use this one decide on their own. They bound every
    wait by ``asyncio.timeout``: the library's own bound on sending (``socket_timeout``) may swallow a cancellation on Python 3.11.
    """
    options = {"socket_connect_timeout": CONNECT_TIMEOUT_S, "socket_timeout": None, "socket_keepalive": True}
    pool: Any = ConnectionPool.from_url(url, protocol=2, **options)
    link: Link = pool.make_connection()
    return link


@dataclass(slots=True)
class Backoff:
    """Pauses after failures in a row, in seconds: twice as long each time, up to a bound, and never in step with other processes."""

    _next_s: float = FIRST_PAUSE_S

    def pause_s(self) -> float:
        """How long to stay away after one more failure."""
        longest, self._next_s = self._next_s, min(LONGEST_PAUSE_S, 2 * self._next_s)
        return longest * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It works again."""
        self._next_s = FIRST_PAUSE_S
