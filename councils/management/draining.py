"""A server that stops without anybody noticing.

Daphne cancels every request when it is told to stop, and breaks its sockets. Here it first stops accepting, finishes what was asked, and
closes sockets with 1012 ("service restart"), after which pages come back at once. A proxy sends new requests to another process meanwhile:
a refused connection may be tried elsewhere, a broken answer may not.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

# Daphne first: it chooses Twisted's reactor when it is imported.
from daphne.server import Server  # isort: skip
from daphne.http_protocol import WebRequest
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet.defer import Deferred

logger = logging.getLogger(__name__)

SERVICE_RESTART = 1012
"""RFC 6455's registry of close codes: the server restarts, come back."""

LINGER_S = 1.0
"""For requests that a proxy sends on connections that it has open already: it may not know yet that the server stops."""

LOOK_S = 0.05


class DrainingServer(Server):
    """``grace_s`` bounds the wait for what is in flight, in seconds. ``on_stop`` is called once, in a thread, as soon as it stops."""

    def __init__(self, *, grace_s: float, on_stop: Callable[[], None] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._grace_s = grace_s
        self._on_stop = on_stop
        self._ports: list[Any] = []
        self._draining = False

    def listen_success(self, port: Any) -> None:
        self._ports.append(port)
        super().listen_success(port)

    def create_application(self, protocol: WebRequest | WebSocketProtocol, scope: dict[str, Any]) -> Any:
        if self._draining and isinstance(protocol, WebRequest):
            _answer_last(protocol)
        return super().create_application(protocol, scope)

    def kill_all_applications(self) -> Deferred[None]:
        """Twisted calls this before it shuts down, and waits for the result."""
        return Deferred.fromFuture(asyncio.ensure_future(self._drain()))

    async def _drain(self) -> None:
        began = time.monotonic()
        self._draining = True
        stopping = asyncio.ensure_future(asyncio.to_thread(self._on_stop or _nothing))
        self._stop_accepting()
        for request in self._requests():
            _answer_last(request)
        while (waited := time.monotonic() - began) < self._grace_s:
            for viewer in self._sockets():
                if viewer.state == WebSocketProtocol.STATE_OPEN:
                    viewer.sendCloseFrame(code=SERVICE_RESTART, reasonUtf8=b"restarting")
            if waited >= LINGER_S and not self._in_flight():
                break
            await asyncio.sleep(LOOK_S)
        await self._cancel_rest()
        await stopping

    def _stop_accepting(self) -> None:
        for port in self._ports:
            # What the kernel has accepted for us is taken in first: closing the port would reset it.
            port.doRead()
            port.stopListening()

    def _requests(self) -> Iterator[WebRequest]:
        return (protocol for protocol in self._open() if isinstance(protocol, WebRequest))

    def _sockets(self) -> Iterator[WebSocketProtocol]:
        return (protocol for protocol in self._open() if isinstance(protocol, WebSocketProtocol))

    def _open(self) -> Iterator[Any]:
        return (protocol for protocol, facts in list(self.connections.items()) if not facts.get("disconnected"))

    def _in_flight(self) -> bool:
        return any(True for _ in self._open())

    async def _cancel_rest(self) -> None:
        """What did not end in time. A request that is still at work in a thread gets no answer."""
        late = [task for facts in self.connections.values() if (task := facts.get("application_instance")) and not task.done()]
        unanswered = sum(1 for _ in self._requests())
        if unanswered:
            logger.warning("stopped with %d requests unanswered after %g s", unanswered, self._grace_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


def _answer_last(request: WebRequest) -> None:
    """Have this request's connection closed after its answer, and say so if the answer has not begun."""
    if request.channel is not None:
        request.channel.persistent = False
        request.responseHeaders.setRawHeaders(b"connection", [b"close"])


def _nothing() -> None:
    """There is nothing to stop beside the server."""
