"""What is noted of every request: its id, a line in the log, figures, and a span where traces are on. The outermost middleware.

Works for sync and async servers, and for answers that are streamed: those end when their last byte has been handed over.
"""

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.db import connection
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from councils.telemetry import metrics, scope, tracing

logger = logging.getLogger("councils.access")

HEADER = "X-Request-ID"
GAVE_UP = 499
"""What is noted for a client that left before its answer was there: nothing was sent."""
QUIET = ("/metrics", "/health", "/static/")
"""Addresses that machines ask all day: they are counted, and logged only for who debugs."""
POOL_S = 1.0

Answer = Callable[[HttpRequest], HttpResponseBase]
AsyncAnswer = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class ObservingMiddleware:
    """Sees a request first and its answer last."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Answer | AsyncAnswer) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        return self._answer_later(request) if self._is_async else self._answer(request)

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        with _Seen(request).at_hand() as seen:
            return seen.answered(cast("Answer", self.get_response)(request))

    async def _answer_later(self, request: HttpRequest) -> HttpResponseBase:
        with _Seen(request).at_hand() as seen:
            return seen.answered(await cast("AsyncAnswer", self.get_response)(request))


class _Seen:
    """One request under way."""

    def __init__(self, request: HttpRequest) -> None:
        self.id = scope.request_id(request.headers.get(HEADER, ""))
        self.method = request.method if request.method in metrics.METHODS else metrics.OTHER
        self.span = tracing.tracer().request(self.method)
        self._request = request
        self._began = time.perf_counter()
        self._open, self._answered = True, False
        metrics.request_began()

    @contextlib.contextmanager
    def at_hand(self) -> Iterator[Self]:
        """While it is answered, every line of the log tells its id."""
        with scope.working_on("request", self.id), tracing.answering(self.span):
            try:
                yield self
            finally:
                if not self._answered:
                    self.ended(GAVE_UP)

    def answered(self, response: HttpResponseBase) -> HttpResponseBase:
        """The answer with the request's id. One that is streamed has not ended yet; a file is as good as sent."""
        self._answered = True
        response.headers[HEADER] = self.id
        if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
            stream = _AsyncStream if response.is_async else _Stream
            response.streaming_content = stream(response.streaming_content, self, response.status_code)
        else:
            self.ended(response.status_code)
        return response

    def ended(self, status: int) -> None:
        """Note how it ended, once."""
        if not self._open:
            return
        self._open = False
        took_s = time.perf_counter() - self._began
        match = self._request.resolver_match
        route = match.view_name if match else ""
        metrics.request_ended(method=self.method, route=route, status=status, took_s=took_s)
        _pool_clock.tick()
        self.span.note(route=route or metrics.OTHER, status=status, request=self.id)
        self.span.end(error=str(status) if status >= 500 else "")
        level = logging.DEBUG if self._request.path_info.startswith(QUIET) else logging.INFO
        facts = {"method": self.method, "route": route, "status": status, "duration_ms": round(took_s * 1000, 1), "request": self.id}
        # Neither address nor query: both may hold what is nobody's business. The name of the pattern says enough.
        logger.log(level, "%s %s %d in %.0f ms", self.method, route or "-", status, took_s * 1000, extra=facts)


@dataclass(slots=True)
class _Stream:
    """The parts of a streamed answer. Closing it is the end, also when the client left in the middle."""

    parts: Any
    seen: _Seen
    status: int

    def close(self) -> None:
        self.seen.ended(self.status)

    def __iter__(self) -> Iterator[bytes]:
        parts = iter(self.parts)
        while (part := self._next(parts)) is not None:
            yield part

    def _next(self, parts: Iterator[bytes]) -> bytes | None:
        with scope.working_on("request", self.seen.id):
            return next(parts, None)


@dataclass(slots=True)
class _AsyncStream:
    """The same for an async iterator."""

    parts: Any
    seen: _Seen
    status: int

    def close(self) -> None:
        self.seen.ended(self.status)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts = aiter(self.parts)
        while (part := await self._next(parts)) is not None:
            yield part

    async def _next(self, parts: AsyncIterator[bytes]) -> bytes | None:
        with scope.working_on("request", self.seen.id):
            return await anext(parts, None)


class _PoolClock:
    """Each of several processes notes its own pool now and then; the one that is asked reads what all noted."""

    def __init__(self) -> None:
        self._noted_at = 0.0

    def tick(self) -> None:
        now = time.monotonic()
        if now - self._noted_at >= POOL_S:
            self._noted_at = now
            metrics.note_pool(connection)


_pool_clock = _PoolClock()
