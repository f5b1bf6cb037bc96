"""What watching costs: processor time of each thing that is counted, logged or traced, and of a scrape.

    python -m benchmarks.observing

Figures are microseconds of CPU, the best of several rounds, so that a busy machine matters less. "per run" is what a run of four seats
(nine calls) causes of it; its number of statements is counted, not guessed, by ``python -m benchmarks.overhead`` with and without
``ENABLE_METRICS``.
"""

import io
import logging
import os
import time
from collections.abc import Callable
from decimal import Decimal

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "council_site.settings_test")

import django

django.setup()

from django.http import HttpResponse
from django.test import RequestFactory
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from council_site.logs import JsonFormatter, ScopeFilter
from councils.telemetry import exposition, metrics, scope, tracing
from councils.telemetry.spans import OtelTracer
from councils.web.observing import ObservingMiddleware

ROUNDS = 7
TIMES = 3000


class _Nowhere(SpanExporter):
    def export(self, spans: object) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def cost_us(work: Callable[[], object], times: int = TIMES) -> float:
    """CPU of one execution, in microseconds: the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(times):
            work()
        best = min(best, (time.process_time() - began) / times)
    return best * 1_000_000


def _execute(*_: object) -> None: ...


def _statement() -> None:
    metrics.watch_statements(_execute, "SELECT 1", None, False, {})


END = metrics.CallEnd(status="done", took_ms=900, first_token_ms=80, prompt_tokens=200, completion_tokens=100, cost_usd=Decimal("0.001"))


def _call() -> None:
    metrics.call_ended(model="a-model", provider="a-provider", end=END)


def _traced_call() -> None:
    span = tracing.tracer().start("call", tracing.NOTHING, step="opinion:agent_1", call="abc", attempt=1)
    span.part("network", from_ms=0, to_ms=20)
    span.part("first token", from_ms=20, to_ms=80)
    span.part("writing", from_ms=80, to_ms=900)
    span.note(status="done", prompt_tokens=200, completion_tokens=100)
    span.end()


def _line(logger: logging.Logger) -> Callable[[], None]:
    def write() -> None:
        with scope.working_on("request", "0123456789abcdef"):
            logger.info("%s %s %d in %.0f ms", "GET", "run", 200, 12.3, extra={"method": "GET", "route": "run", "status": 200})

    return write


def _json_logger() -> logging.Logger:
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(JsonFormatter())
    handler.addFilter(ScopeFilter())
    logger = logging.getLogger("benchmark")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    return logger


def main() -> None:
    logging.getLogger("councils.access").setLevel(logging.WARNING)
    answer, request = HttpResponse(), RequestFactory().get("/")
    middleware = ObservingMiddleware(lambda _: answer)
    print(f"load {os.getloadavg()[0]:.1f}\nwhat{'':38}CPU µs")
    bare = cost_us(lambda: _execute(_execute, "SELECT 1", None, False, {}))
    rows = {
        "a statement": cost_us(_statement) - bare,
        "a call": cost_us(_call),
        "a stage": cost_us(lambda: metrics.stage_took("opinions", 1.0)),
        "a look into the cache": cost_us(lambda: metrics.cache_used("get", "miss")),
        "a request, without its line in the log": cost_us(lambda: middleware(request)),
        "a line of the log in JSON": cost_us(_line(_json_logger())),
        "a call's span, traces off": cost_us(_traced_call),
    }
    tracing.use(OtelTracer(BatchSpanProcessor(_Nowhere())))
    rows["a call's span, traces on"] = cost_us(_traced_call, 500)
    rows["a scrape of one process"] = cost_us(exposition.exposition, 20)
    for what, us in rows.items():
        print(f"{what:42}{us:7.1f}")


if __name__ == "__main__":
    main()
