"""Limits on requests while they arrive.

Daphne receives a whole body before it asks the application, so that Django's own limit comes too late: a stranger could fill the disk
with the temporary file. Of a head that is too long Twisted only hangs up; here its sender is told why.
"""

import json
from http import HTTPStatus
from typing import Any

import daphne.server
from daphne.http_protocol import HTTPFactory, WebRequest

MESSAGES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request is too large.",
    HTTPStatus.REQUEST_URI_TOO_LONG: "The address is too long.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The headers of the request, cookies among them, are too large.",
}


def refusal(status: HTTPStatus) -> bytes:
    """The whole answer, after which the connection is closed."""
    code = "too_large" if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE else "too_long"
    body = json.dumps({"code": code, "message": MESSAGES[status], "detail": None}).encode()
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close"
    return f"{head}\r\n\r\n".encode() + body


class HeadLimit:
    """Watches the lines of the heads that come on one connection, and answers where Twisted would hang up."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._pass_on = channel.lineReceived
        self._size = 0
        channel.lineReceived, channel.lineLengthExceeded = self.line_received, self.line_too_long

    def line_received(self, line: bytes) -> None:
        # An empty line ends a head.
        self._size = self._size + len(line) if line else 0
        if self._size > self._channel.totalHeadersSize:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        else:
            self._pass_on(line)

    def line_too_long(self, _line: bytes) -> None:
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if self._size else HTTPStatus.REQUEST_URI_TOO_LONG)

    def _refuse(self, status: HTTPStatus) -> None:
        self._channel.transport.write(refusal(status))
        self._channel.loseConnection()
        # What else comes until the connection is closed is nobody's request.
        self._channel.dataReceived = lambda _data: None
        self._channel.clearLineBuffer()


def limit_bodies(most: int) -> None:
    """Make Daphne's servers of this process answer 413 as soon as a body is known to exceed ``most`` bytes."""

    class LimitedRequest(WebRequest):
        """Counts what arrives. Twisted calls these two, and ``process`` once the whole body is there."""

        received = 0
        refused = False

        def __init__(self, *args: Any, **options: Any) -> None:
            # Django reads forms itself. Twisted would first read them into memory, and hang up with an empty 400 on one that is broken.
            super().__init__(*args, parsePOSTFormSubmission=False, **options)

        def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
            super().gotLength(0 if length is not None and length > most else length)
            if length is not None and length > most:
                self.refuse()

        def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
            self.received += len(data)
            if self.received > most:
                self.refuse()
            if not self.refused:
                super().handleContentChunk(data)

        def refuse(self) -> None:
            if not self.refused:
                self.refused = True
                self.channel.transport.write(refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
                self.channel.loseConnection()

    class LimitedFactory(HTTPFactory):
        def buildProtocol(self, addr: object) -> object:  # noqa: N802 - Twisted's name
            protocol = super().buildProtocol(addr)
            protocol.requestFactory = LimitedRequest
            # Twisted puts the channel into a wrapper that chooses the protocol.
            HeadLimit(protocol._channel)  # noqa: SLF001
            return protocol

    daphne.server.HTTPFactory = LimitedFactory
