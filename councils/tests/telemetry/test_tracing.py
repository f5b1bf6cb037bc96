"""Traces: who is part of whom, what they tell and what not, and that a collector in trouble is nobody else's trouble."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as site
from django.test import Client
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from councils.models import CouncilRun, Provider
from councils.runner.host import EngineHost
from councils.telemetry import tracing
from councils.telemetry.spans import OtelTracer, context_of
from councils.tests.durability.support import Asker, ended, wait_until

Spans = list[ReadableSpan]
KEY = "sk-planted-0123456789abcdef"


@pytest.fixture
def collected() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.use(OtelTracer(SimpleSpanProcessor(exporter)))
    yield exporter
    tracing.use(tracing.NOTHING)


def spans_of(exporter: InMemorySpanExporter, name: str) -> Spans:
    return [span for span in exporter.get_finished_spans() if span.name == name]


def only(spans: Spans) -> ReadableSpan:
    [span] = spans
    return span


def facts(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def is_part(span: ReadableSpan, of: ReadableSpan) -> bool:
    return span.parent is not None and (span.parent.trace_id, span.parent.span_id) == (of.context.trace_id, of.context.span_id)


def finished(exporter: InMemorySpanExporter, run: CouncilRun) -> ReadableSpan:
    """The run's own span, which closes a moment after its end is stored."""
    wait_until(lambda: bool(spans_of(exporter, "run")), "the run's span ends")
    return only(spans_of(exporter, "run"))


def test_a_run_is_one_trace_of_stages_and_calls_with_network_and_model_apart(
    ask: Asker, engine: EngineHost, collected: InMemorySpanExporter
) -> None:
    run = ended(ask("tokens=20,ttft=0.05", "tokens=20", "tokens=20"))
    root = finished(collected, run)

    assert (root.parent, root.kind, root.context.trace_id) == (None, SpanKind.CONSUMER, context_of(run.public_id).trace_id)
    assert facts(root) == {"council.run": run.public_id, "council.resumed": False, "council.status": "succeeded"}
    stages = {name: only(spans_of(collected, name)) for name in ("opinions", "review", "synthesis")}
    assert all(is_part(stage, root) for stage in stages.values())
    calls = spans_of(collected, "call")
    assert {facts(call)["council.call"] for call in calls} == set(run.calls.values_list("public_id", flat=True))
    assert [sum(is_part(call, stage) for call in calls) for stage in stages.values()] == [3, 3, 1]
    for call in calls:
        told, row = facts(call), run.calls.get(public_id=facts(call)["council.call"])
        parts = {span.name: span for span in collected.get_finished_spans() if is_part(span, call)}
        assert set(parts) == {"network", "first token", "writing"}
        assert parts["network"].end_time == parts["first token"].start_time
        assert parts["first token"].end_time == parts["writing"].start_time
        assert told["council.network_ms"] <= told["council.first_token_ms"] == row.first_token_ms
        assert told["council.network_ms"] + told["council.model_ms"] == row.latency_ms
        assert told["gen_ai.usage.output_tokens"] == row.completion_tokens
    assert {span.context.trace_id for span in collected.get_finished_spans()} == {root.context.trace_id}


def test_a_call_that_fails_tells_its_kind_and_not_the_providers_words(
    ask: Asker, engine: EngineHost, collected: InMemorySpanExporter
) -> None:
    council = ask.council("tokens=20", "tokens=20", "tokens=20", "fault=echo_key")
    for provider in Provider.objects.all():
        provider.set_api_key(KEY)
        provider.save()
    run = ended(ask.put(council, question="What about the planted-question-text?"))
    finished(collected, run)

    failed = only([span for span in spans_of(collected, "call") if span.status.status_code is StatusCode.ERROR])
    assert facts(failed)["error.type"] == "authentication_failed"
    told = json.dumps([json.loads(span.to_json()) for span in collected.get_finished_spans()])
    assert run.calls.get(error_kind="authentication_failed").error_detail not in told
    for secret in (KEY, "planted-question-text", run.answer[:40], ask.provider.url):
        assert secret not in told


def test_a_request_points_to_the_run_that_it_started(
    client: Client, ask: Asker, engine: EngineHost, collected: InMemorySpanExporter
) -> None:
    council = ask.council("tokens=20", "tokens=20", "tokens=20")
    client.force_login(ask.user)
    answer = client.post("/", {"question": "Which is best?", "council": council.slug})
    assert answer.status_code == 302
    run = ended(CouncilRun.objects.get())
    root = finished(collected, run)

    asked = only([span for span in spans_of(collected, "request") if facts(span)["http.request.method"] == "POST"])
    assert facts(asked)["http.route"] == "ask"
    assert facts(asked)["council.status"] == 302
    [link] = asked.links
    assert (link.context.trace_id, link.context.span_id) == (root.context.trace_id, root.context.span_id)


def test_who_takes_a_run_over_writes_into_the_same_trace(collected: InMemorySpanExporter) -> None:
    first, second = tracing.tracer().run("abc", resumed=False), tracing.tracer().run("abc", resumed=True)
    second.end()
    first.end()

    resumed, root = spans_of(collected, "run")
    assert is_part(resumed, root)
    assert resumed.context.span_id != root.context.span_id


class _Refusing(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        raise RuntimeError("the collector is on fire")

    def shutdown(self) -> None:
        raise RuntimeError("still on fire")


@pytest.mark.parametrize("kind", ["broken", "away"])
def test_a_collector_in_trouble_harms_no_run(ask: Asker, engine: EngineHost, kind: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        exporter = OTLPSpanExporter(f"http://127.0.0.1:{closed.getsockname()[1]}/v1/traces", timeout=1)
        processor = BatchSpanProcessor(_Refusing() if kind == "broken" else exporter, schedule_delay_millis=20)
        tracing.use(OtelTracer(processor))
        try:
            run = ended(ask("tokens=20", "tokens=20", "tokens=20"))
        finally:
            tracing.use(tracing.NOTHING)
            processor._batch_processor._shutdown = True

    assert run.status == "succeeded"


# The Redis client loads the part for metrics where it is installed.
OFF = """
import django, sys
django.setup()
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk.trace", "opentelemetry.exporter", "councils.telemetry.spans"))])
"""


def test_where_traces_are_off_nothing_that_sends_them_is_even_loaded() -> None:
    command = [sys.executable, "-c", OFF]
    environment = {"DJANGO_SETTINGS_MODULE": "council_site.settings_test", "PATH": "/usr/bin"}
    loaded = subprocess.run(command, cwd=site.BASE_DIR, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=60)

    assert loaded.stdout.strip() == "[]"
