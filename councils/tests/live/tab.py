"""A browser tab as a test sees it: one socket, and the text that it has put together from what came."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.test import Client
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from councils.models import CouncilRun, User

PATIENCE_S = 120.0


def units(text: str) -> bytes:
    """The text as a browser counts it: two bytes for each UTF-16 unit."""
    return text.encode("utf-16-le")


def cookie_of(client: Client) -> str:
    """The header of a browser that has signed in like this test client."""
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@contextmanager
def open_socket(port: int, *, cookie: str = "", origin: str | None = "", **options: Any) -> Iterator[ClientConnection]:
    """A socket to the site. The origin is the site's own unless given; ``None`` sends none."""
    headers = {"Cookie": cookie} if cookie else {}
    shown: Any = f"http://127.0.0.1:{port}" if origin == "" else origin
    patience: Any = {"open_timeout": PATIENCE_S, "close_timeout": 1}
    with connect(f"ws://127.0.0.1:{port}/ws/", origin=shown, additional_headers=headers, proxy=None, **patience, **options) as socket:
        yield socket


@dataclass(slots=True)
class Draft:
    attempt: int = 0
    text: str = ""


@dataclass(slots=True)
class Tab:
    """Follows one run by the protocol: ignores what it has, asks for a snapshot on a gap, clears a draft when a new attempt begins."""

    socket: ClientConnection
    run: CouncilRun
    events: list[dict[str, Any]] = field(default_factory=list)
    drafts: dict[str, Draft] = field(default_factory=dict)
    # What stood in the card of a step when its result came.
    written: dict[str, str] = field(default_factory=dict)
    snapshots: int = 0
    heard: list[str] = field(default_factory=list)

    def subscribe(self) -> None:
        self.say({"type": "subscribe", "run": self.run.public_id, "after": self.seq})

    def say(self, message: Any) -> None:
        self.socket.send(json.dumps(message))

    @property
    def seq(self) -> int:
        return int(self.events[-1]["seq"]) if self.events else 0

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def hear(self) -> dict[str, Any]:
        """Take the next message in."""
        self.heard.append(str(self.socket.recv(timeout=PATIENCE_S)))
        message: dict[str, Any] = json.loads(self.heard[-1])
        match message["type"]:
            case "snapshot":
                self.snapshots += 1
                self.drafts = {key: Draft(draft["attempt"], draft["text"]) for key, draft in message["drafts"].items()}
            case "delta":
                for item in message["items"]:
                    self._grow(*item)
            case "event":
                self._happen(message["event"])
        return message

    def follow(self, until: Callable[["Tab"], bool] | None = None) -> None:
        """Listen until this holds, or to the end of the run."""
        while not (until(self) if until else "run_finished" in self.types):
            self.hear()

    def _happen(self, event: dict[str, Any]) -> None:
        assert event["seq"] == self.seq + 1, f"event {event['seq']} came after {self.seq}"
        self.events.append(event)
        key = event.get("key", "")
        if event["type"] == "call_started" and key:
            if self.drafts.get(key, Draft()).attempt < event["attempt"]:
                self.drafts[key] = Draft(event["attempt"])
        elif "text" in event:
            self.written[key] = self.drafts.get(key, Draft()).text

    def _grow(self, key: str, attempt: int, offset: int, text: str) -> None:
        draft = self.drafts.setdefault(key, Draft(attempt))
        if attempt < draft.attempt:
            return
        if attempt > draft.attempt:
            draft.attempt, draft.text = attempt, ""
        known, new = units(draft.text), units(text)
        if 2 * offset > len(known):
            self.subscribe()
        elif 2 * offset + len(new) > len(known):
            draft.text = (known[: 2 * offset] + new).decode("utf-16-le")


def close_code(socket: ClientConnection) -> int:
    """Read until the server closes, and say with which code."""
    try:
        while True:
            socket.recv(timeout=PATIENCE_S)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd is not None else 1006


def errors_of(socket: ClientConnection) -> dict[str, Any]:
    """The next complaint."""
    while True:
        message: dict[str, Any] = json.loads(socket.recv(timeout=PATIENCE_S))
        if message["type"] == "error":
            return message
