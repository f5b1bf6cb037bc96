"""The fake provider is honest: the vendor's own client and validators believe it."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import openai
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.fake import behaviour, wording
from benchmarks.fake.behaviour import Behaviour, Behaviours
from benchmarks.fake.server import Running, running
from councils.engine.types import StructuredMode
from councils.providers.endpoint import EndpointKind
from councils.providers.streaming import HttpProvider
from councils.tests.providers.support import SCHEMA, collect, request

ProviderMaker = Callable[[EndpointKind], HttpProvider]
ROOT = Path(__file__).resolve().parents[3]
LABELS = ["quokka", "heron", "lynx"]
BALLOT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "rankings": {
            "type": "array",
            "minItems": 3,
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {
                    "agent_id": {"type": "string", "enum": LABELS},
                    "reasoning": {"type": "string"},
                    "score": {"type": "integer", "minimum": 1, "maximum": 10},
                },
                "required": ["agent_id", "reasoning", "score"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["rankings"],
    "additionalProperties": False,
}


async def test_the_vendors_own_client_reads_its_streams(fake: Running) -> None:
    async with openai.AsyncOpenAI(base_url=f"{fake.url}/v1", api_key="any") as vendor:
        stream = await vendor.chat.completions.create(
            model="fake:tokens=5", messages=[{"role": "user", "content": "Hi"}], stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]

    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 5


async def test_the_vendors_own_client_reads_its_single_answers_and_errors(fake: Running) -> None:
    async with openai.AsyncOpenAI(base_url=f"{fake.url}/v1", api_key="any", max_retries=0) as vendor:
        answer = await vendor.chat.completions.create(model="fake:tokens=5", messages=[{"role": "user", "content": "Hi"}])
        listed = [model.id async for model in vendor.models.list()]
        with pytest.raises(openai.RateLimitError):
            await vendor.chat.completions.create(model="fake:fault=429", messages=[{"role": "user", "content": "Hi"}])

    assert answer.choices[0].finish_reason == "stop"
    assert listed


@pytest.mark.parametrize("kind", list(EndpointKind))
async def test_a_review_gets_a_valid_ballot_in_every_dialect(kind: EndpointKind, over_socket: ProviderMaker) -> None:
    asked = request("fake:tokens=30", schema=BALLOT_SCHEMA, structured=StructuredMode.JSON_SCHEMA)
    _, completion = await collect(over_socket(kind), asked)

    ballot = orjson.loads(completion.text)
    assert list(ballot) == ["rankings"]
    assert all(list(verdict) == ["agent_id", "reasoning", "score"] for verdict in ballot["rankings"])
    assert sorted(verdict["agent_id"] for verdict in ballot["rankings"]) == sorted(LABELS)
    assert sorted(verdict["score"] for verdict in ballot["rankings"]) == [1, 5, 9]


@pytest.mark.parametrize(
    ("schema", "valid"),
    [
        ({"type": "array", "items": {"type": "integer", "minimum": 4}, "minItems": 2}, [4, 4]),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"type": ["number", "null"]}, 1),
        ({"type": "object", "properties": {"ok": {"type": "boolean"}, "kind": {"const": "a"}}}, {"ok": True, "kind": "a"}),
        ({"enum": ["only"]}, "only"),
    ],
)
def test_an_answer_by_a_schema_is_valid(schema: dict[str, Any], valid: object) -> None:
    assert wording.instance(schema, wording.seed_of("seed")) == valid


def test_a_text_by_a_schema_is_some_text() -> None:
    answer = wording.instance(SCHEMA, wording.seed_of("seed"))

    assert isinstance(answer["word"], str)
    assert answer["word"]


def test_the_same_question_to_the_same_model_has_the_same_answer() -> None:
    first, again, other = (wording.answer_pieces(model, "Why?", None, tokens=30) for model in ("a", "a", "b"))

    assert first == again
    assert first != other


@given(st.text(min_size=1), st.integers(1, 50))
def test_a_text_in_pieces_is_the_text(text: str, pieces: int) -> None:
    parts = wording.cut(text, pieces)

    assert "".join(parts) == text
    assert len(parts) == min(pieces, len(text))


def test_a_model_name_orders_the_behaviour() -> None:
    assert behaviour.parse("vendor/fake:tokens=7,rate=1.5,fault=429,retry_after=soon") == Behaviour(
        tokens=7, rate=1.5, fault="429", retry_after="soon"
    )


@pytest.mark.parametrize("model", ["", "gpt-9", "fake:", "fake"])
def test_any_other_name_behaves_by_default(model: str) -> None:
    assert behaviour.parse(model) == Behaviour()


@pytest.mark.parametrize("model", ["fake:speed=9", "fake:tokens=many", "fake:fault=unheard", "fake:usage=odd", "fake:vote=never"])
def test_an_order_that_is_not_understood_is_said_so(model: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        behaviour.parse(model)


def test_a_fault_that_passes_is_counted_by_model() -> None:
    behaviours = Behaviours()
    faults = [behaviours.next("fake:fault=500,fail_first=2").fault for _ in range(3)]

    assert faults == ["500", "500", ""]
    assert behaviours.next("fake:fault=500,fail_first=1").fault == "500"


def test_one_call_in_n_is_slow() -> None:
    behaviours = Behaviours()
    rates = [behaviours.next("fake:rate=100,ttft=1,slow_every=3,slow_by=10").rate for _ in range(6)]

    assert rates == [100, 100, 10, 100, 100, 10]


def test_every_order_is_in_the_manual() -> None:
    manual = (ROOT / "benchmarks" / "fake_provider.py").read_text(encoding="utf-8")

    for word in (*behaviour.FAULTS, *behaviour.USAGES, *behaviour.VOTES, *Behaviour.__dataclass_fields__):
        assert re.search(rf"\b{word}\b", manual), word


async def test_the_log_survives_on_disk_line_by_line(tmp_path: Path) -> None:
    log = tmp_path / "calls.jsonl"
    with running(log=log) as server:
        async with httpx.AsyncClient(base_url=server.url, headers={"x-client-request-id": "c7"}, trust_env=False) as http:
            body = {"model": "fake:tokens=4", "messages": [{"role": "user", "content": "Hi"}]}
            await http.post("/api/chat", json=body)
        await asyncio.to_thread(server.wait_for_entry, "fake:tokens=4")
        (line,) = log.read_text(encoding="utf-8").splitlines()

    entry = orjson.loads(line)
    assert {name: entry[name] for name in ("call_id", "model", "dialect", "outcome", "tokens")} == {
        "call_id": "c7",
        "model": "fake:tokens=4",
        "dialect": "ollama",
        "outcome": "completed",
        "tokens": 4,
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/health", b"", 200),
        ("GET", "/nowhere", b"", 404),
        ("POST", "/nowhere", b"{}", 404),
        ("POST", "/v1/chat/completions", b"{", 400),
        ("POST", "/v1/chat/completions", b"{}", 400),
        ("POST", "/v1/messages", b'{"model": "fake:oops=1", "messages": []}', 400),
        ("POST", "/api/chat", b"[]", 400),
    ],
)
async def test_what_is_no_request_is_answered_as_such(method: str, path: str, body: bytes, status: int, fake: Running) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        response = await http.request(method, f"{fake.url}{path}", content=body)

    assert response.status_code == status
    assert isinstance(response.json(), dict)


def test_the_server_starts_from_the_command_line_and_stops_when_told(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/fake_provider.py", "--port", "0", "--log", str(tmp_path / "log"), "--model", "fake:mine"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        listing = httpx.get(f"{url}/api/tags", trust_env=False).json()
        process.terminate()
        code = process.wait(timeout=10)

    assert [model["name"] for model in listing["models"]] == ["fake:mine"]
    assert code == 0
