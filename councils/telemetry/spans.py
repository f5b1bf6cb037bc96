"""Spans by OpenTelemetry, sent to ``OTEL_EXPORTER_OTLP_ENDPOINT``. The one module that knows it; loaded where traces are on.

Spans are sent from a thread of the library's own, in batches; a collector that is away costs the spans and nothing else.
"""

import hashlib
import os
import time
from contextvars import ContextVar
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from councils.telemetry.tracing import Fact, Span, Tracer

TIMEOUT_VARIABLE = "OTEL_EXPORTER_OTLP_TIMEOUT"
EXPORT_S = 2.0
"""A process that ends waits so long for a collector that is away; the library's own ten seconds would hold up every restart."""
MS = 1_000_000
"""Nanoseconds in one, the unit of times here."""
_fixed: ContextVar[SpanContext | None] = ContextVar("council_fixed_span", default=None)


def tracer() -> Tracer:
    """A tracer that sends what it traces."""
    patience = None if TIMEOUT_VARIABLE in os.environ else EXPORT_S
    return OtelTracer(BatchSpanProcessor(OTLPSpanExporter(timeout=patience)))


def context_of(run_id: str) -> SpanContext:
    """The first span of a run. Its ids follow from the run's, so that any process can point to it without asking anybody."""
    digest = hashlib.sha256(f"council run {run_id}".encode()).digest()
    return SpanContext(
        trace_id=int.from_bytes(digest[:16], "big") or 1,
        span_id=int.from_bytes(digest[16:24], "big") or 1,
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


class _Ids(RandomIdGenerator):
    """Random ids, except for the first span of a run."""

    def generate_span_id(self) -> int:
        fixed = _fixed.get()
        return super().generate_span_id() if fixed is None else fixed.span_id

    def generate_trace_id(self) -> int:
        fixed = _fixed.get()
        return super().generate_trace_id() if fixed is None else fixed.trace_id


@dataclass(frozen=True, slots=True)
class OtelSpan:
    """See ``councils.telemetry.tracing.Span``. ``began_ns`` is wall-clock time, since that is what traces are drawn by."""

    tracer: trace.Tracer
    span: trace.Span
    began_ns: int

    def note(self, **facts: Fact) -> None:
        self.span.set_attributes(_named(facts))

    def link_run(self, run_id: str) -> None:
        self.span.set_attribute("council.run", run_id)
        self.span.add_link(context_of(run_id))

    def part(self, name: str, *, from_ms: int, to_ms: int) -> None:
        part = self.tracer.start_span(name, trace.set_span_in_context(self.span), start_time=self.began_ns + from_ms * MS)
        part.end(self.began_ns + to_ms * MS)

    def end(self, *, error: str = "", after_ms: int | None = None) -> None:
        if error:
            self.span.set_attribute("error.type", error)
            self.span.set_status(Status(StatusCode.ERROR))
        self.span.end(None if after_ms is None else self.began_ns + after_ms * MS)


class OtelTracer:
    """See ``councils.telemetry.tracing.Tracer``."""

    def __init__(self, processor: SpanProcessor) -> None:
        # Names the program; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
        self._provider = TracerProvider(resource=Resource({SERVICE_NAME: "llm-council"}).merge(Resource.create()), id_generator=_Ids())
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("councils")

    def request(self, method: str) -> Span:
        return self._begin("request", None, kind=SpanKind.SERVER, facts={"method": method})

    def run(self, run_id: str, *, resumed: bool) -> Span:
        first = context_of(run_id)
        facts: dict[str, Fact] = {"run": run_id, "resumed": resumed}
        if resumed:
            # The first span has ended with its owner, or will be told by it. This one hangs below it.
            return self._begin("run", NonRecordingSpan(first), kind=SpanKind.CONSUMER, facts=facts)
        token = _fixed.set(first)
        try:
            return self._begin("run", None, kind=SpanKind.CONSUMER, facts=facts)
        finally:
            _fixed.reset(token)

    def start(self, name: str, parent: Span, **facts: Fact) -> Span:
        above = parent.span if isinstance(parent, OtelSpan) else None
        return self._begin(name, above, kind=SpanKind.CLIENT if name == "call" else SpanKind.INTERNAL, facts=facts)

    def _begin(self, name: str, parent: trace.Span | None, *, kind: SpanKind, facts: dict[str, Fact]) -> OtelSpan:
        # Never the library's own idea of a current span: what belongs together is said.
        above = trace.set_span_in_context(parent) if parent is not None else Context()
        began_ns = time.time_ns()
        span = self._tracer.start_span(name, above, kind=kind, attributes=_named(facts), start_time=began_ns)
        return OtelSpan(self._tracer, span, began_ns)


def _named(facts: dict[str, Fact]) -> dict[str, Fact]:
    """Attributes by the names that OpenTelemetry gives them where it has some."""
    return {_NAMES.get(name, f"council.{name}"): fact for name, fact in facts.items()}


_NAMES = {
    "method": "http.request.method",
    "route": "http.route",
    "model": "gen_ai.request.model",
    "provider": "gen_ai.provider.name",
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
}
