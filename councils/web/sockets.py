"""Counts the sockets that are open, whoever serves them."""

from typing import Any

from councils.telemetry import metrics


class SocketCounter:
    """An ASGI application around another one. A socket counts from its acceptance to the end of its application."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        accepted = False

        async def tell(message: Any) -> None:
            nonlocal accepted
            if message["type"] == "websocket.accept" and not accepted:
                accepted = True
                metrics.socket_opened()
            await send(message)

        try:
            await self._application(scope, receive, tell)
        finally:
            if accepted:
                metrics.socket_closed()
