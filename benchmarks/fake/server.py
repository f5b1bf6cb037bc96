"""The server: HTTP/1.1 by hand on an asyncio protocol, so that it costs as little as possible beside what is measured."""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from math import inf
from pathlib import Path
from typing import Any, TextIO, cast

import orjson

from benchmarks.fake.behaviour import ODD_FAULTS, Behaviours
from benchmarks.fake.script import Ending, Frame, Script, problem, script_for
from benchmarks.fake.wire import read_ask

CHAT_PATHS = {"/v1/chat/completions": "openai", "/chat/completions": "openai", "/api/chat": "ollama", "/v1/messages": "anthropic"}
PHRASES = {status.value: status.phrase for status in HTTPStatus}
MAX_REQUEST_BYTES = 10_000_000
DEFAULT_MODELS = ("fake:tokens=100", "fake:tokens=300", "fake:tokens=100,rate=160,ttft=0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the log. ``outcome`` is ``completed``, ``aborted`` (the client left) or ``fault`` (we ended it badly, as ordered).

    ``asked`` is when the request was whole, ``time`` when its answer ended.
    """

    time: float
    asked: float
    call_id: str
    model: str
    dialect: str
    outcome: str
    fault: str
    status: int
    tokens: int


@dataclass(slots=True)
class Office:
    """What the connections of one server share."""

    models: Sequence[str] = DEFAULT_MODELS
    log: TextIO | None = None
    entries: list[Entry] = field(default_factory=list)
    keep_entries: bool = False
    connections: int = 0
    behaviours: Behaviours = field(default_factory=Behaviours)
    noted: threading.Condition = field(default_factory=threading.Condition)
    # Whether what is left of every answer is sent at once, at whichever rate it was to come.
    hurried: bool = False

    def note(self, entry: Entry) -> None:
        """Append to the log. The file is line-buffered: what is noted survives a kill of this process."""
        if self.keep_entries:
            with self.noted:
                self.entries.append(entry)
                self.noted.notify_all()
        if self.log is not None:
            self.log.write(orjson.dumps(entry).decode() + "\n")


@dataclass(slots=True)
class Request:
    """A request as far as it was understood."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def key(self) -> str:
        return self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")


class Connection(asyncio.Protocol):
    """One connection: reads a request, plays its script, reads the next."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._request: Request | None = None
        self._script: Script | None = None
        self._next: Frame | None = None
        self._started = 0.0
        self._asked = 0.0
        self._head = b""
        self._tokens = 0
        self._model = self._dialect = ""
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._office.connections += 1

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        if self._script is not None:
            self._finish("aborted")

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._play()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._script is None:
            self._read()

    def _read(self) -> None:
        """Begin to answer the first whole request in the buffer, if there is one."""
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        request = _parse_head(head)
        length = int(request.headers.get("content-length", "0"))
        if length > MAX_REQUEST_BYTES and self._transport is not None:
            self._transport.abort()
        if len(rest) < length:
            return
        request.body, self._buffer = rest[:length], rest[length:]
        self._request = request
        self._asked = time.time()
        self._start(self._answer(request))

    def _answer(self, request: Request) -> Script:
        self._model = self._dialect = ""
        path = request.path.partition("?")[0].rstrip("/")
        if request.method == "GET":
            return self._listing(path)
        if path not in CHAT_PATHS or request.method != "POST":
            return problem("openai", 404, kind="not_found_error", message="no such path")
        self._dialect = CHAT_PATHS[path]
        try:
            ask = read_ask(self._dialect, orjson.loads(request.body))
            self._model = ask.model
            return script_for(ask, self._office.behaviours.next(ask.model), request.key)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return problem(self._dialect, 400, kind="invalid_request_error", message=f"{type(error).__name__}: {error}")

    def _listing(self, path: str) -> Script:
        models = self._office.models
        listing: dict[str, Any]
        match path:
            case "/v1/models" | "/models":
                listing = {"object": "list", "data": [{"id": model, "object": "model"} for model in models], "has_more": False}
            case "/api/tags":
                listing = {"models": [{"name": model, "model": model} for model in models]}
            case "/health":
                listing = {"status": "ok"}
            case _:
                return problem("openai", 404, kind="not_found_error", message="no such path")
        body = orjson.dumps(listing)
        return Script(headers=(("content-type", "application/json"),), frames=iter([Frame(0, body)]), length=len(body))

    def _start(self, script: Script) -> None:
        self._script = script
        self._started = self._loop.time()
        self._tokens = 0
        self._head = _head(script)
        if script.head_first and self._transport is not None:
            self._transport.write(self._head)
            self._head = b""
        self._next = next(script.frames, None)
        self._play()

    def _play(self) -> None:
        """Send every frame that is due, then wait for the next one or end."""
        script = self._script
        self._timer = None
        if script is None or self._transport is None:
            return
        elapsed = inf if self._office.hurried else self._loop.time() - self._started
        out = []
        while self._next is not None and not self._paused and self._next.due <= elapsed:
            out.append(_chunk(self._next.data) if script.length is None and script.status else self._next.data)
            self._tokens += self._next.tokens
            self._next = next(script.frames, None)
            if len(out) >= 64:  # An endless script may not keep the loop to itself.
                break
        if out or self._next is None:
            self._transport.write(self._head + b"".join(out))
            self._head = b""
        if self._paused:
            return
        if self._next is None:
            self._end(script)
        else:
            due = self._loop.time() if self._office.hurried else self._started + self._next.due
            self._timer = self._loop.call_at(due, self._play)

    def _end(self, script: Script) -> None:
        if self._transport is None or script.ending is Ending.HANG:
            return
        if script.ending is Ending.COMPLETE and script.length is None:
            self._transport.write(b"0\r\n\r\n")
        transport = self._transport
        self._finish("completed" if not script.fault or script.fault in ODD_FAULTS else "fault")
        match script.ending:
            case Ending.COMPLETE:
                if self._buffer:
                    self._read()
            case Ending.CUT:
                transport.close()
            case Ending.RESET:
                transport.abort()

    def _finish(self, outcome: str) -> None:
        """Forget the script and note how it went."""
        script, request = self._script, self._request
        self._script = self._next = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if script is None or request is None or request.method == "GET":
            return
        call_id = request.headers.get("x-client-request-id", "")
        self._office.note(
            Entry(
                time=time.time(),
                asked=self._asked,
                call_id=call_id,
                model=self._model,
                dialect=self._dialect,
                outcome=outcome,
                fault=script.fault,
                status=script.status,
                tokens=self._tokens,
            )
        )


def _parse_head(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, target = first.partition(" ")
    pairs = (line.partition(":") for line in lines)
    return Request(method=method, path=target.partition(" ")[0], headers={name.strip().lower(): value.strip() for name, _, value in pairs})


def _head(script: Script) -> bytes:
    if not script.status:
        return b""
    phrase = PHRASES.get(script.status, "Overloaded")
    length = ("transfer-encoding", "chunked") if script.length is None else ("content-length", str(script.length))
    lines = [f"HTTP/1.1 {script.status} {phrase}", *(f"{name}: {value}" for name, value in (*script.headers, length))]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


async def serve(office: Office, *, host: str = "127.0.0.1", port: int = 0) -> asyncio.Server:
    """Listen. The port that was given is ``server.sockets[0].getsockname()[1]``."""
    return await asyncio.get_running_loop().create_server(lambda: Connection(office), host, port, backlog=2048, start_serving=True)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs in a thread, and what it has seen."""

    port: int
    office: Office

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def entries_of(self, model: str) -> list[Entry]:
        """What the log says of ``model``, in the order in which the answers ended."""
        with self.office.noted:
            return [entry for entry in self.office.entries if entry.model == model]

    def wait_for_entries(self, model: str, count: int, *, timeout_s: float = 60.0) -> list[Entry]:
        """The entries of ``model`` once there are ``count``: a call is logged after its last byte, on the server's own time.

        Blocks the thread. ``TimeoutError`` where they do not come.
        """
        with self.office.noted:
            if not self.office.noted.wait_for(lambda: len(self.entries_of(model)) >= count, timeout_s):
                raise TimeoutError(f"{model} has {len(self.entries_of(model))} of {count} calls in the log")
            return self.entries_of(model)

    def wait_for_entry(self, model: str) -> Entry:
        """The first entry of ``model``, waited for like ``wait_for_entries``."""
        return self.wait_for_entries(model, 1)[0]


@contextmanager
def running(*, log: Path | None = None, models: Sequence[str] = DEFAULT_MODELS) -> Iterator[Running]:
    """The server in a thread of this process, on a free port, for as long as the block lasts."""
    office = Office(models=models, keep_entries=True)
    loop = asyncio.new_event_loop()
    file = log.open("a", buffering=1, encoding="utf-8") if log else None
    office.log = file
    thread = threading.Thread(target=loop.run_forever, name="fake-provider", daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(serve(office), loop).result(timeout=10)
    try:
        yield Running(server.sockets[0].getsockname()[1], office)
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()
        if file is not None:
            file.close()


async def _stop(server: asyncio.Server) -> None:
    server.close()
    # Connections whose client has just left are still on their way to ``connection_lost``.
    await asyncio.sleep(0)
