"""When the steps of a run and their calls began, and how long each took: bars on one axis, and the same as a table."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from councils.models import CallStatus, CouncilRun, ModelCall, RunStep

AXIS = 1000
"""The axis in units of a drawing."""

NARROWEST = 3
"""A bar of no length would not be seen."""

STAGE_ORDER = ("opinions", "review", "synthesis")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A stretch of the axis. ``kind``: ``waiting`` for the first text, ``writing``, ``step``, or ``pause`` before a call."""

    kind: str
    start: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A step, or one call of a step that needed several. Times are in milliseconds; ``begins_ms`` counts from the question.

    ``model`` is what people call it.
    """

    step: RunStep
    call: ModelCall | None
    is_step: bool
    begins_ms: int
    took_ms: int | None
    paused_ms: int | None
    bars: Sequence[Bar]
    model: str = ""

    @property
    def status(self) -> str:
        return self.step.status if self.is_step or self.call is None else self.call.status

    @property
    def error(self) -> str:
        """Kind and words of what went wrong."""
        row: Any = self.step if self.is_step else self.call
        kind = str(row.error_kind).replace("_", " ")
        said = str(row.error_message if self.is_step else row.error_detail)
        return ": ".join(part for part in (kind, said) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The lines in the order of the stages. ``total_ms`` is the length of the axis."""

    lines: Sequence[Line]
    total_ms: int

    @property
    def ticks(self) -> list[tuple[int, int]]:
        """Start, middle and end of the axis, which is short on most screens: place and milliseconds."""
        return [(AXIS * part // 2, self.total_ms * part // 2) for part in range(3)]


def timeline_of(run: CouncilRun, *, now: datetime, name: Callable[[str], str] = str) -> Timeline:
    """Of a run that was loaded ``with_details()``. Clocks of machines differ: nothing lies outside the axis.

    ``name`` gives what people see of a model's name.
    """
    steps = sorted(run.steps.all(), key=lambda step: (STAGE_ORDER.index(step.stage), step.started_at, step.pk))
    ends = [run.finished_at or now, *(_end_of(call, now) for step in steps for call in step.calls.all())]
    axis = _Axis(run.created_at, max(ends))
    lines = (line for step in steps for line in _lines(step, axis, now))
    return Timeline(lines=[replace(line, model=name(_asked(line))) for line in lines], total_ms=axis.total_ms)


def _asked(line: Line) -> str:
    return line.call.model_name if line.call else line.step.model_name


class _Axis:
    def __init__(self, start: datetime, end: datetime) -> None:
        self.start = start
        self.total_ms = max(_ms(end - start), 1)

    def since(self, moment: datetime) -> int:
        return min(max(_ms(moment - self.start), 0), self.total_ms)

    def bar(self, kind: str, start_ms: int, length_ms: int) -> Bar:
        width = max(AXIS * length_ms // self.total_ms, NARROWEST)
        start = min(AXIS * start_ms // self.total_ms, AXIS - NARROWEST)
        return Bar(kind=kind, start=start, width=min(width, AXIS - start))


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


def _end_of(call: ModelCall, now: datetime) -> datetime:
    if call.latency_ms is not None:
        return call.created_at + timedelta(milliseconds=call.latency_ms)
    return call.finished_at or (now if call.status == CallStatus.SENDING.value else call.created_at)


def _lines(step: RunStep, axis: _Axis, now: datetime) -> Iterator[Line]:
    calls = sorted(step.calls.all(), key=lambda call: call.attempt)
    if len(calls) <= 1:
        yield _line_of_step(step, axis, calls[0] if calls else None, now)
        return
    yield _line_of_step(step, axis, None, now, last=calls[-1])
    before: datetime | None = None
    for call in calls:
        yield _line_of_call(step, call, axis, now, before)
        before = _end_of(call, now)


def _line_of_step(step: RunStep, axis: _Axis, call: ModelCall | None, now: datetime, last: ModelCall | None = None) -> Line:
    begins = axis.since(call.created_at if call else step.started_at)
    took = step.latency_ms
    if call is not None:
        bars = _bars(call, axis, now)
        took = took if call.latency_ms is None else call.latency_ms
    else:
        end = _end_of(last, now) if last else step.finished_at or step.started_at
        # A carried step took its time in another run.
        bars = [] if step.carried else [axis.bar("step", begins, axis.since(end) - begins)]
    return Line(step=step, call=call, is_step=True, begins_ms=begins, took_ms=took, paused_ms=None, bars=bars)


def _line_of_call(step: RunStep, call: ModelCall, axis: _Axis, now: datetime, before: datetime | None) -> Line:
    begins = axis.since(call.created_at)
    paused = None if before is None else max(begins - axis.since(before), 0)
    pause = [axis.bar("pause", begins - paused, paused)] if paused else []
    bars = [*pause, *_bars(call, axis, now)]
    return Line(step=step, call=call, is_step=False, begins_ms=begins, took_ms=call.latency_ms, paused_ms=paused, bars=bars)


def _bars(call: ModelCall, axis: _Axis, now: datetime) -> list[Bar]:
    """Waiting for the first text, then writing."""
    begins = axis.since(call.created_at)
    length = axis.since(_end_of(call, now)) - begins
    first = min(call.first_token_ms, length) if call.first_token_ms is not None else length
    bars = [axis.bar("waiting", begins, first)]
    return bars if first >= length else [*bars, axis.bar("writing", begins + first, length - first)]
