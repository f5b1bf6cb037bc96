"""A limit on request bodies while they arrive.

Daphne receives a whole body before it asks the application, so that Django's own limit comes too late: a stranger could fill the disk
with the temporary file.
"""

from http import HTTPStatus

import daphne.server
from daphne.http_protocol import HTTPFactory, WebRequest

REFUSAL = b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nContent-Length: %%d\r\nConnection: close\r\n\r\n%%b" % (
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE.phrase.encode(),
)
BODY = b'{"code":"too_large","message":"The request is too large.","detail":null}'


def limit_bodies(most: int) -> None:
    """Make Daphne's servers of this process answer 413 as soon as a body is known to exceed ``most`` bytes."""

    class LimitedRequest(WebRequest):
        """Counts what arrives. Twisted calls these two, and ``process`` once the whole body is there."""

        received = 0
        refused = False

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
                self.channel.transport.write(REFUSAL % (len(BODY), BODY))
                self.channel.loseConnection()

    class LimitedFactory(HTTPFactory):
        def buildProtocol(self, addr: object) -> object:  # noqa: N802 - Twisted's name
            protocol = super().buildProtocol(addr)
            protocol.requestFactory = LimitedRequest
            return protocol

    daphne.server.HTTPFactory = LimitedFactory
