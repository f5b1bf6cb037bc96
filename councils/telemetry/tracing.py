"""Traces, as the product speaks of them: spans of requests, runs, stages and calls. Where traces are off, nothing happens and costs.

``councils.telemetry.spans`` is the one module that knows OpenTelemetry, and is loaded only where ``ENABLE_TRACING`` says so. A span holds
names, numbers and ids: no text of questions, answers or prompts, no address, no error message.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

Fact = str | int | float | bool


class Span(Protocol):
    """A stretch of time that is part of another one, or begins a trace."""

    def note(self, **facts: Fact) -> None:
        """Add facts to it."""

    def link_run(self, run_id: str) -> None:
        """It has started this run, which has a trace of its own."""

    def part(self, name: str, *, from_ms: int, to_ms: int) -> None:
        """A part of it that has passed already, in milliseconds from its start."""

    def end(self, *, error: str = "", after_ms: int | None = None) -> None:
        """It has ended, now or so long after its start; ``error`` is a kind, never a message."""


class Tracer(Protocol):
    """Begins spans."""

    def request(self, method: str) -> Span:
        """A request that the site answers."""

    def run(self, run_id: str, *, resumed: bool) -> Span:
        """A run in the hands of this process. The id of its trace follows from the run's: all its owners write into one."""

    def start(self, name: str, parent: Span, **facts: Fact) -> Span:
        """A part of ``parent``."""


class _Nothing:
    """Spans where nobody wants any."""

    def note(self, **facts: Fact) -> None: ...

    def link_run(self, run_id: str) -> None: ...

    def part(self, name: str, *, from_ms: int, to_ms: int) -> None: ...

    def end(self, *, error: str = "", after_ms: int | None = None) -> None: ...

    def request(self, method: str) -> Span:
        return self

    def run(self, run_id: str, *, resumed: bool) -> Span:
        return self

    def start(self, name: str, parent: Span, **facts: Fact) -> Span:
        return self


NOTHING = _Nothing()
_in_use: list[Tracer] = [NOTHING]
"""Whoever begins spans in this process."""
_request: ContextVar[Span] = ContextVar("council_request_span", default=NOTHING)


def set_up() -> None:
    """Trace from now on, if the settings say so. Once per process."""
    if settings.ENABLE_TRACING:
        use(import_string("councils.telemetry.spans.tracer")())


def use(tracer: Tracer) -> None:
    """Let this tracer begin all spans."""
    _in_use[0] = tracer


def tracer() -> Tracer:
    """Whoever begins spans in this process."""
    return _in_use[0]


@contextlib.contextmanager
def answering(span: Span) -> Iterator[None]:
    """All that is done in here is done for the request of this span."""
    token = _request.set(span)
    try:
        yield
    finally:
        _request.reset(token)


def request_at_hand() -> Span:
    """The span of the request that is being answered."""
    return _request.get()
