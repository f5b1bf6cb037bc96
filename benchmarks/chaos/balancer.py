"""A small proxy as stands before a site: it says who asks and that they came by https, and tries the next server where one refuses.

One request a connection, so that nothing depends on when an idle connection is closed. A request that was handed to a server is never
sent again: an answer that breaks off is the server's fault, and is seen by whoever asked.
"""

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from itertools import count

MOST_HEAD = 64 * 1024
HOP_BY_HOP = (b"connection:", b"x-forwarded-for:", b"x-forwarded-proto:")
NOBODY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Balancer:
    """Spreads requests over servers on these ports of this machine. ``proto`` is what it says visitors came by."""

    def __init__(self, ports: Sequence[int], *, proto: str = "http") -> None:
        self._ports = ports
        self._proto = proto.encode()
        self._turn = count()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="balancer", daemon=True)
        self.port = 0
        self.refusals = 0

    def start(self) -> None:
        """Start it in a thread of its own; it listens when this returns."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, limit=MOST_HEAD))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in (tasks := asyncio.all_tasks(self._loop)):
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Clients and servers may leave at any moment.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            await self._pass_on(self._told(head, writer), reader, writer)
        writer.close()

    def _told(self, head: bytes, visitor: asyncio.StreamWriter) -> bytes:
        """The head of the request with what a proxy adds to it."""
        first, *lines = head[:-4].split(b"\r\n")
        kept = [line for line in lines if not line.lower().startswith(HOP_BY_HOP)]
        upgrades = any(line.lower().startswith(b"upgrade:") for line in kept)
        kept.append(b"Connection: upgrade" if upgrades else b"Connection: close")
        kept += [b"X-Forwarded-For: " + visitor.get_extra_info("peername")[0].encode(), b"X-Forwarded-Proto: " + self._proto]
        return b"\r\n".join([first, *kept, b"", b""])

    async def _pass_on(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start = next(self._turn)
        for offset in range(len(self._ports)):
            try:
                inside, outside = await asyncio.open_connection("127.0.0.1", self._ports[(start + offset) % len(self._ports)])
            except ConnectionRefusedError:
                self.refusals += 1
                continue
            outside.write(head)
            asking = asyncio.create_task(_pour(reader, outside))
            try:
                await _pour(inside, writer)
            finally:
                asking.cancel()
                outside.close()
            return
        writer.write(NOBODY)
        await writer.drain()


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """All bytes from one side to the other, until either leaves."""
    with contextlib.suppress(OSError):
        while piece := await source.read(65536):
            target.write(piece)
            await target.drain()
