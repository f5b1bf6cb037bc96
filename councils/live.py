"""What viewers are told while a run goes on, and the only sender of it.

Two kinds of messages. An ``event`` is a line of the run's history: the database has it too, so a lost message does no harm. A ``delta``
is new text of seats that are writing: it is nowhere in the database, so drafts are also kept in the cache for viewers who come late.
Offsets count UTF-16 units, as strings in a browser do.

A viewer in this process is reached directly, through its own event loop; others through Redis, which may lose messages: what leaves this
process goes to the outbox, and what comes from others is brought to the hub by the bridge of the process that has the viewers.
"""

import asyncio
import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

import orjson
from django.core.cache import cache, caches
from django.core.cache.backends.locmem import LocMemCache
from redis.exceptions import RedisError

from councils import outbox
from councils.models.base import PUBLIC_ID_LENGTH

logger = logging.getLogger(__name__)

PROCESS_ID = uuid.uuid4().hex
"""Marks what this process sent, so that it does not hear itself through Redis."""

CHANNEL = "council.run."

PASSED_ON = ('{"type":"delta"', '{"type":"changed"')
"""How messages begin, once serialised, that viewers get as they are. Events are put in order first."""

FLUSH_S = 0.045
DRAFT_TTL_S = 900


class EventMessage(TypedDict):
    type: str
    run: str
    event: Mapping[str, Any]


class DeltaMessage(TypedDict):
    """``items`` are (step key, attempt, offset of the text, text)."""

    type: str
    run: str
    items: Sequence[tuple[str, int, int, str]]


class ChangedMessage(TypedDict):
    """Read the run again: its record has changed beyond its last event."""

    type: str
    run: str


class Draft(TypedDict):
    attempt: int
    text: str


def channel_name(run_id: str) -> str:
    """Where live messages of a run go between processes: the sender's ``PROCESS_ID``, a space, the message."""
    return CHANNEL + run_id


def run_of_channel(name: str) -> str:
    return name.removeprefix(CHANNEL)


def valid_run_id(run_id: str) -> bool:
    """Whether this can be a run's id at all. Only such a name may reach Redis."""
    return len(run_id) == PUBLIC_ID_LENGTH and run_id.isascii() and run_id.isalnum()


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@dataclass(eq=False, slots=True)
class Viewer:
    """One open socket of this process: ``deliver`` is called on ``loop`` with a serialised message."""

    loop: asyncio.AbstractEventLoop
    deliver: Callable[[str], None]


class Hub:
    """The viewers of this process by run. Threads: the engine loop publishes, the web server's loop subscribes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._viewers: dict[str, set[Viewer]] = {}

    def subscribe(self, run_id: str, viewer: Viewer) -> None:
        with self._lock:
            self._viewers.setdefault(run_id, set()).add(viewer)

    def unsubscribe(self, run_id: str, viewer: Viewer) -> None:
        with self._lock:
            viewers = self._viewers.get(run_id, set())
            viewers.discard(viewer)
            if not viewers:
                self._viewers.pop(run_id, None)

    def watched(self) -> frozenset[str]:
        """The runs that have viewers here."""
        with self._lock:
            return frozenset(self._viewers)

    def send(self, run_id: str, text: str) -> None:
        """Deliver to every viewer of the run: at once to those of the loop that calls, by one call for each other loop."""
        with self._lock:
            viewers = tuple(self._viewers.get(run_id, ()))
        by_loop: dict[asyncio.AbstractEventLoop, list[Viewer]] = {}
        for viewer in viewers:
            by_loop.setdefault(viewer.loop, []).append(viewer)
        here = _running_loop()
        for loop, some in by_loop.items():
            if loop is here:
                _deliver(some, text)
                continue
            try:
                loop.call_soon_threadsafe(_deliver, some, text)
            except RuntimeError:  # The viewers' loop is closed: its process is going down, and nobody looks any more.
                for viewer in some:
                    self.unsubscribe(run_id, viewer)


def _deliver(viewers: Sequence[Viewer], text: str) -> None:
    for viewer in viewers:
        viewer.deliver(text)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


hub = Hub()


@dataclass(slots=True)
class _Writing:
    """A seat's text as it grows. ``pending`` was not sent yet and starts at ``sent`` UTF-16 units."""

    attempt: int
    sent: int = 0
    parts: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)


_here: dict[str, "Broadcast"] = {}
"""The runs that this process drives: their drafts are read from memory, fresher than any cache."""


class Broadcast:
    """The live side of one run, in the process that drives it. Used on the engine loop only.

    Text of all seats goes out in one message every ``FLUSH_S``; the first text of a stream goes out at once.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        _here[run_id] = self
        self._writing: dict[str, _Writing] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.dirty = False

    def events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Tell the events of one commit. Text that was written before them goes out first."""
        if events:
            self.flush()
        for event in events:
            self._send({"type": "event", "run": self.run_id, "event": event})

    def changed(self) -> None:
        """The record has changed beyond its last event: calls that were under way when the run ended have been booked."""
        self._send({"type": "changed", "run": self.run_id})

    def begin(self, key: str, attempt: int) -> None:
        """A new attempt clears what an earlier one wrote."""
        self._writing[key] = _Writing(attempt)
        self.dirty = True

    def end(self, key: str) -> None:
        """The step has its result: its draft is not needed any more."""
        self.flush()
        self._writing.pop(key, None)
        self.dirty = True

    def text(self, key: str, piece: str) -> None:
        """More text of one seat."""
        writing = self._writing[key]
        first = not writing.parts and not writing.pending
        writing.pending.append(piece)
        if first:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self.flush)

    def draft(self, key: str) -> str:
        """All text that this step's current attempt has brought."""
        writing = self._writing.get(key)
        return "".join([*writing.parts, *writing.pending]) if writing else ""

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        items = []
        for key, writing in self._writing.items():
            if writing.pending:
                text = "".join(writing.pending)
                items.append((key, writing.attempt, writing.sent, text))
                writing.sent += utf16_length(text)
                writing.parts.append(text)
                writing.pending.clear()
        if items:
            self.dirty = True
            self._send({"type": "delta", "run": self.run_id, "items": items})

    def drafts(self) -> dict[str, Draft]:
        """The text so far by step key. Safe to call from any thread: the table is copied in one step."""
        return {key: {"attempt": w.attempt, "text": "".join(w.parts)} for key, w in list(self._writing.items())}

    def close(self) -> None:
        """The run is in other hands, or over."""
        self.flush()
        if _here.get(self.run_id) is self:
            del _here[self.run_id]

    def _send(self, message: EventMessage | DeltaMessage | ChangedMessage) -> None:
        text = orjson.dumps(message).decode()
        hub.send(self.run_id, text)
        outbox.put(channel_name(self.run_id), f"{PROCESS_ID} {text}")


def tell(run_id: str, events: Sequence[Mapping[str, Any]]) -> None:
    """Tell viewers of this process about events that a service has committed. Others find them at their next look."""
    for event in events:
        hub.send(run_id, orjson.dumps({"type": "event", "run": run_id, "event": event}).decode())


def _draft_key(run_id: str) -> str:
    return f"drafts:{run_id}"


def drafts_are_shared() -> bool:
    """Whether other processes read this cache. If not, keeping drafts in it serves nobody: those of this process are in memory."""
    return not isinstance(caches["default"], LocMemCache)


def keep_drafts(drafts: Mapping[str, Mapping[str, Draft]]) -> None:
    """Store the text so far of several runs, for viewers at other processes who come late."""
    cache.set_many({_draft_key(run_id): dict(texts) for run_id, texts in drafts.items()}, DRAFT_TTL_S)


def read_drafts(run_id: str) -> dict[str, Draft]:
    """The text so far by step key; empty when there is none or the cache is away."""
    local = _here.get(run_id)
    if local is not None:
        return local.drafts()
    try:
        return _readable(cache.get(_draft_key(run_id)))
    except (RedisError, OSError) as error:  # A cache that fails means "no draft"; the next delta brings the viewer back.
        logger.warning("drafts not read: %s", error, extra={"run": run_id})
        return {}


def _readable(stored: Any) -> dict[str, Draft]:
    """The drafts among whatever a cache holds."""
    drafts = stored if isinstance(stored, dict) else {}
    return {
        key: {"attempt": draft["attempt"], "text": draft["text"]}
        for key, draft in drafts.items()
        if isinstance(draft, dict) and isinstance(draft.get("attempt"), int) and isinstance(draft.get("text"), str)
    }
