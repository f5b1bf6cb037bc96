"""Bytes of a stream to events: server-sent events (WHATWG HTML, section 9.2) and newline-delimited JSON.

Both readers are fed chunks as the network cuts them and return what became complete. They hold no more than one event in memory, and
raise ``BrokenStream`` when a line or an event grows past its cap.
"""

from typing import NamedTuple, Protocol

from councils.engine.errors import BrokenStream

MAX_LINE_BYTES = 1_000_000
MAX_EVENT_BYTES = 2_000_000
BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event; ``name`` is empty where the stream gave none."""

    name: str
    data: bytes


class Framing(Protocol):
    """Turns chunks into events."""

    def feed(self, chunk: bytes) -> list[Event]: ...

    def close(self) -> list[Event]:
        """What is left at the end of the stream."""
        ...


class LineSplitter:
    """Splits bytes at LF, CR and CRLF, wherever the chunks were cut.

    Working on bytes keeps UTF-8 whole: a character split between two chunks is joined again before anybody decodes it.
    """

    def __init__(self, *, max_line: int = MAX_LINE_BYTES) -> None:
        self._max_line = max_line
        self._pieces: list[bytes] = []
        self._held = 0
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that ``chunk`` completes, without their ends."""
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if not chunk:
            return []
        self._after_cr = chunk.endswith(b"\r")
        may_be_too_long = self._held + len(chunk) > self._max_line
        lines = chunk.splitlines()
        unfinished = None if chunk.endswith((b"\n", b"\r")) else lines.pop()
        if lines:
            lines[0] = self._joined(lines[0])
        if unfinished is not None:
            self._hold(unfinished)
        if may_be_too_long and any(len(line) > self._max_line for line in lines):
            raise BrokenStream("A line of the answer is too long.")
        return lines

    def close(self) -> list[bytes]:
        """The last line, where the stream ended without ending it."""
        return [self._joined(b"")] if self._pieces else []

    def _joined(self, end: bytes) -> bytes:
        line = b"".join([*self._pieces, end])
        self._pieces.clear()
        self._held = 0
        if self._at_start:
            self._at_start = False
            return line.removeprefix(BOM)
        return line

    def _hold(self, piece: bytes) -> None:
        self._held += len(piece)
        if self._held > self._max_line:
            raise BrokenStream("A line of the answer is too long.")
        self._pieces.append(piece)


class SseFraming:
    """Server-sent events. Comments and fields other than ``data`` and ``event`` are dropped.

    The standard discards an event that the end of the stream cuts off; real servers forget the last empty line after their terminal
    event, so ``close`` delivers it.
    """

    def __init__(self) -> None:
        self._lines = LineSplitter()
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[Event]:
        return self._events(self._lines.feed(chunk))

    def close(self) -> list[Event]:
        return self._events([*self._lines.close(), b""])

    def _events(self, lines: list[bytes]) -> list[Event]:
        events = []
        for line in lines:
            if not line:
                if self._data:
                    events.append(Event(self._name, self._data[0] if len(self._data) == 1 else b"\n".join(self._data)))
                    self._data = []
                    self._size = 0
                self._name = ""
            elif line.startswith(b"data:"):
                self._add(line[6:] if line.startswith(b"data: ") else line[5:])
            elif line.startswith(b"event:"):
                self._name = line[6:].strip().decode("utf-8", "replace")
            elif line == b"data":
                self._add(b"")
        return events

    def _add(self, value: bytes) -> None:
        self._size += len(value)
        if self._size > MAX_EVENT_BYTES:
            raise BrokenStream("An event of the answer is too long.")
        self._data.append(value)


class NdjsonFraming:
    """One JSON value a line; empty lines mean nothing."""

    def __init__(self) -> None:
        self._lines = LineSplitter()

    def feed(self, chunk: bytes) -> list[Event]:
        return [Event("", line) for line in self._lines.feed(chunk) if line.strip()]

    def close(self) -> list[Event]:
        return [Event("", line) for line in self._lines.close() if line.strip()]
