"""A web process that is told to stop: what was asked is answered, viewers are sent back at once, nobody new is let in."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import websockets.sync.client
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from benchmarks.kill import settings_of
from councils.models import User
from councils.tests.live.conftest import database_url
from councils.tests.live.tab import cookie_of, signed_in

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60.0
SERVICE_RESTART = 1012
BODY = b'{"council":"none","question":"Half a question"}'

Start = Callable[..., "Site"]


class Site:
    """``manage.py serve`` in a process that a test stops by signal."""

    def __init__(self, environment: dict[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.process = subprocess.Popen([sys.executable, "manage.py", "serve", "--port", str(self.port)], cwd=ROOT, env=environment)
        # It listens a moment before it can be told to stop: what answers can.
        until(self.answers)

    def answers(self) -> bool:
        with contextlib.suppress(ConnectionError), self.connect() as asking:
            asking.sendall(b"GET /api/v1/ HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return answer_of(asking) != b""
        return False

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def start(transactional_db: None) -> Iterator[Start]:
    """Start the site; what is still running at the end is killed."""
    with contextlib.ExitStack() as ends:

        def started(**variables: str) -> Site:
            kept = {name: os.environ[name] for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS")}
            site = Site(os.environ | settings_of(database_url()) | kept | variables)
            ends.callback(site.process.wait)
            ends.callback(site.process.kill)
            return site

        yield started


def begin_question(connection: socket.socket) -> None:
    """Send a request but for its last byte."""
    head = f"POST /api/v1/runs/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    connection.sendall(head.encode() + BODY[:-1])


def answer_of(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_stopping_answers_what_was_asked_sends_viewers_back_and_lets_nobody_in(start: Start, asker: User) -> None:
    site = start()
    address, origin = f"ws://localhost:{site.port}/ws/", Origin(f"http://localhost:{site.port}")
    headers = {"Cookie": cookie_of(signed_in(asker))}
    with (
        site.connect() as asking,
        websockets.sync.client.connect(address, additional_headers=headers, origin=origin, open_timeout=PATIENCE_S) as viewer,
    ):
        viewer.send('{"type": "ping"}')
        viewer.recv(PATIENCE_S)
        begin_question(asking)
        # The server has the first part: it has answered another request that came later.
        assert site.answers()

        site.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            viewer.recv(PATIENCE_S)
        until(lambda: not site.listens())
        asking.sendall(BODY[-1:])
        answer = answer_of(asking)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == SERVICE_RESTART
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert site.process.wait(PATIENCE_S) == 0


def test_stopping_does_not_wait_for_ever_for_somebody_who_does_not_finish(start: Start) -> None:
    site = start(SHUTDOWN_GRACE_S="0.5")
    with site.connect() as asking:
        begin_question(asking)
        site.process.send_signal(signal.SIGTERM)

        assert site.process.wait(PATIENCE_S) == 0
        assert answer_of(asking) == b""
