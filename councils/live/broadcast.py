"""What a run tells while it goes on: the text of its seats, gathered into a few messages a second, and its events at once."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from councils.live import outbox
from councils.live.hub import hub
from councils.live.messages import PROCESS_ID, ChangedMessage, DeltaMessage, Draft, EventMessage, channel_name

FLUSH_S = 0.045


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


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


def broadcast_here(run_id: str) -> Broadcast | None:
    """The live side of this run, if this process drives it."""
    return _here.get(run_id)


def tell(run_id: str, events: Sequence[Mapping[str, Any]]) -> None:
    """Tell viewers of this process about events that a service has committed. Others find them at their next look."""
    for event in events:
        hub.send(run_id, orjson.dumps({"type": "event", "run": run_id, "event": event}).decode())
