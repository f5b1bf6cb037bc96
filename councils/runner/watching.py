"""What is noted of a run while this process drives it, for metrics and traces: how long its stages take, what its calls bring.

Only comfort: nothing here is read by the run, and nothing here can fail it.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from councils.engine.panel import final_tally
from councils.engine.steps import StepState, author_of, opinion_key
from councils.engine.types import Stage
from councils.models import CallStatus
from councils.snapshot import ModelTarget
from councils.store.calls import Booking
from councils.telemetry import metrics
from councils.telemetry.tracing import NOTHING, Fact, Span, tracer


@dataclass(slots=True)
class _StageClock:
    """From a stage's first step in this process to the end of its last."""

    span: Span
    began: float
    ended: float = 0.0


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call under way. A ``cached`` one is none: its answer is there already."""

    target: ModelTarget
    cached: bool
    span: Span


class RunWatch:
    """Watches one run. Used on the engine loop only."""

    def __init__(self, run_id: str, *, resumed: bool) -> None:
        self._span = tracer().run(run_id, resumed=resumed)
        self._stages: dict[Stage, _StageClock] = {}
        # Who wrote which step: a fallback model may have spoken for a seat.
        self._wrote: dict[str, ModelTarget] = {}

    def step_began(self, stage: Stage) -> None:
        """A step of this stage is at work."""
        if stage not in self._stages:
            self._stages[stage] = _StageClock(tracer().start(stage.value, self._span), began=time.monotonic())

    def step_ended(self, stage: Stage) -> None:
        """It is not any more, whatever became of it."""
        clock = self._stages.get(stage)
        if clock is None:
            return
        clock.ended = time.monotonic()

    def call_began(self, key: str, stage: Stage, call_id: str, attempt: int, target: ModelTarget, *, cached: bool) -> OpenCall:
        """A call is written down and may be sent; or its answer came from the cache."""
        self._wrote[key] = target
        clock = self._stages.get(stage)
        facts: dict[str, Fact] = {
            "step": key,
            "call": call_id,
            "attempt": attempt,
            "cached": cached,
            "model": target.name,
            "provider": label_of(target),
        }
        return OpenCall(target, cached, tracer().start("call", clock.span if clock else self._span, **facts))

    def ended(self, status: str, steps: Mapping[str, StepState], models: Mapping[str, ModelTarget]) -> None:
        """The run has come to its end: count the places of its answers. ``models`` is the first model of each seat."""
        tally = final_tally(steps)
        for place, candidate in enumerate(tally.order if tally else (), start=1):
            author = author_of(candidate)
            target = self._wrote.get(opinion_key(author)) or models.get(author)
            if target is not None:
                metrics.ranked(model=target.name, provider=label_of(target), place=place)
        self._span.note(status=status)

    def close(self) -> None:
        """This process has done its part of the run."""
        for clock in self._stages.values():
            clock.span.end(after_ms=round((max(clock.ended, clock.began) - clock.began) * 1000))
        self._span.end()
        self._stages.clear()
        self._span = NOTHING


def call_ended(call: OpenCall, booking: Booking, headers_ms: int | None, *, counted: bool = False) -> None:
    """Count what a call brought, once it is booked. ``headers_ms``: from sending until the provider began to answer.

    ``counted``: as a call it was counted by whoever took it for lost.
    """
    target, span = call.target, call.span
    if call.cached:
        metrics.call_cached(model=target.name, provider=label_of(target))
    else:
        end = metrics.CallEnd(
            status=booking.status.value,
            error=booking.error_kind if booking.status is not CallStatus.CANCELLED else "",
            took_ms=booking.latency_ms,
            first_token_ms=booking.first_token_ms,
            prompt_tokens=booking.prompt_tokens,
            completion_tokens=booking.completion_tokens,
            cost_usd=booking.cost_usd,
            counted=counted,
        )
        metrics.call_ended(model=target.name, provider=label_of(target), end=end)
        _note_times(span, booking, headers_ms)
    span.note(status=booking.status.value, prompt_tokens=booking.prompt_tokens or 0, completion_tokens=booking.completion_tokens or 0)
    span.end(error=booking.error_kind)


def _note_times(span: Span, booking: Booking, headers_ms: int | None) -> None:
    """The network's time and the model's, apart: until the headers came, until the first text, until the last."""
    if headers_ms is not None:
        span.part("network", from_ms=0, to_ms=headers_ms)
        span.note(network_ms=headers_ms)
    if booking.first_token_ms is not None and booking.latency_ms is not None:
        thinking_from = min(headers_ms or 0, booking.first_token_ms)
        span.part("first token", from_ms=thinking_from, to_ms=booking.first_token_ms)
        span.part("writing", from_ms=booking.first_token_ms, to_ms=max(booking.latency_ms, booking.first_token_ms))
        span.note(first_token_ms=booking.first_token_ms, model_ms=max(booking.latency_ms - thinking_from, 0))


def label_of(target: ModelTarget) -> str:
    """A provider in metrics and traces: by its short name, or the long one in runs that an older version began."""
    return target.provider_slug or target.provider_name
