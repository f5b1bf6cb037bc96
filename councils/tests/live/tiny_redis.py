"""As much of Redis as live messages need, on this test's own event loop: channels, pings, and every way to be ill."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

PATIENCE_S = 30.0


async def until(holds: Callable[[], bool]) -> None:
    """Wait until this is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - there is no event: it is the server's or the product's state
            await asyncio.sleep(0.01)


@dataclass
class TinyRedis:
    """``mute``: it reads and never answers. ``published`` are (channel, message) as they came, ``pings`` those of all connections."""

    port: int = 0
    mute: bool = False
    connections: int = 0
    pings: int = 0
    published: list[tuple[str, str]] = field(default_factory=list)
    subscribers: defaultdict[str, set[asyncio.StreamWriter]] = field(default_factory=lambda: defaultdict(set))
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def die(self) -> None:
        """Break all connections and listen no more."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.close()
            await self._server.wait_closed()
            self._server = None

    def publish(self, channel: str, message: str) -> int:
        for writer in self.subscribers[channel]:
            writer.write(array(b"message", channel.encode(), message.encode()))
        return len(self.subscribers[channel])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                answer = self._answer(await _command(reader), writer)
                if not self.mute:
                    writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            for listeners in self.subscribers.values():
                listeners.discard(writer)
            writer.close()

    def _answer(self, command: list[bytes], writer: asyncio.StreamWriter) -> bytes:
        name, *rest = command
        match name.upper(), rest:
            case b"PUBLISH", [channel, message]:
                self.published.append((channel.decode(), message.decode()))
                return b":%d\r\n" % self.publish(channel.decode(), message.decode())
            case b"SUBSCRIBE", channels:
                for channel in channels:
                    self.subscribers[channel.decode()].add(writer)
                return b"".join(array(b"subscribe", channel, 1) for channel in channels)
            case b"UNSUBSCRIBE", channels:
                for channel in channels:
                    self.subscribers[channel.decode()].discard(writer)
                return b"".join(array(b"unsubscribe", channel, 0) for channel in channels)
            case b"PING", _:
                self.pings += 1
                return array(b"pong", b"")
        return b"+OK\r\n"


async def _command(reader: asyncio.StreamReader) -> list[bytes]:
    count = int((await reader.readuntil(b"\r\n"))[1:-2])
    words = []
    for _ in range(count):
        length = int((await reader.readuntil(b"\r\n"))[1:-2])
        words.append((await reader.readexactly(length + 2))[:-2])
    return words


def array(*items: bytes | int) -> bytes:
    """An array as Redis sends it."""
    parts = [b":%d\r\n" % item if isinstance(item, int) else b"$%d\r\n%b\r\n" % (len(item), item) for item in items]
    return b"*%d\r\n%b" % (len(parts), b"".join(parts))


@asynccontextmanager
async def tiny_redis() -> AsyncIterator[TinyRedis]:
    """One that is well, for as long as the test wants."""
    server = TinyRedis()
    await server.start()
    try:
        yield server
    finally:
        await server.die()
