"""Two calls have one key exactly if nothing that can change the answer differs."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from councils.caching.keys import call_key
from councils.engine.prompts import PreparedCall
from councils.engine.types import ChatMessage, CompletionRequest, Deadlines, Stage, StructuredMode
from councils.snapshot import EndpointTarget, ModelTarget

MESSAGES = (ChatMessage(role="system", content="You are brief."), ChatMessage(role="user", content="Why is the sky blue?"))
HOME = EndpointTarget(base_url="https://api.example/v1", allow_private_address=False, max_parallel_calls=5)
TARGET = ModelTarget(
    model_id=7,
    name="gpt-small",
    label="Small",
    provider_id=3,
    provider_name="Example",
    kind="openai",
    endpoints=(HOME,),
    api_key_env="",
    options={"top_p": 0.9, "stop": ["x"]},
    structured_mode=StructuredMode.JSON_SCHEMA,
    max_output_tokens=None,
    input_price=Decimal("0.1"),
    output_price=Decimal("0.2"),
)
PREPARED = PreparedCall(key="opinion:agent_1", stage=Stage.OPINIONS, agent_id="agent_1", models=("m7",), messages=MESSAGES)
REQUEST = CompletionRequest(
    model="gpt-small",
    messages=MESSAGES,
    call_id="call-1",
    temperature=0.7,
    max_tokens=500,
    schema={"type": "object", "required": ["a", "b"]},
    structured=StructuredMode.JSON_SCHEMA,
)
KEY = call_key(TARGET, PREPARED, REQUEST)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "gpt-large"},
        {"messages": MESSAGES[1:]},
        {"messages": MESSAGES[::-1]},
        {"messages": (MESSAGES[0], ChatMessage(role="user", content="Why is the sky blue? "))},
        {"messages": (MESSAGES[0], ChatMessage(role="assistant", content="Why is the sky blue?"))},
        {"temperature": 0.70001},
        {"temperature": None},
        {"max_tokens": None},
        {"schema": {"type": "object", "required": ["b", "a"]}},
        {"schema": None},
        {"schema_name": "ballot"},
        {"structured": StructuredMode.PLAIN},
        {"max_chars": 10},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_request_has_another_key(change: dict[str, Any]) -> None:
    assert call_key(TARGET, PREPARED, replace(REQUEST, **change)) != KEY


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "ollama"},
        {"provider_id": 4},
        {"endpoints": (replace(HOME, base_url="https://other.example/v1"),)},
        {"options": {"top_p": 0.8, "stop": ["x"]}},
        {"options": {}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_place_to_ask_has_another_key(change: dict[str, Any]) -> None:
    assert call_key(replace(TARGET, **change), PREPARED, REQUEST) != KEY


def test_the_same_model_in_another_seat_is_another_sample() -> None:
    assert call_key(TARGET, replace(PREPARED, key="opinion:agent_2"), REQUEST) != KEY
    assert call_key(TARGET, replace(PREPARED, key="opinion:agent_1:2"), REQUEST) != KEY


@pytest.mark.parametrize(
    "request_",
    [replace(REQUEST, call_id="call-2"), replace(REQUEST, deadlines=Deadlines(total_s=1.0))],
    ids=["id of the call", "time limits"],
)
def test_what_cannot_change_the_answer_is_not_in_the_key(request_: CompletionRequest) -> None:
    assert call_key(TARGET, PREPARED, request_) == KEY


def test_prices_labels_and_further_endpoints_are_not_in_the_key() -> None:
    further = replace(HOME, base_url="https://second.example/v1")
    target = replace(TARGET, input_price=None, output_price=Decimal(9), label="Tiny", endpoints=(HOME, further))

    assert call_key(target, PREPARED, REQUEST) == KEY


def test_the_order_in_which_options_were_written_does_not_matter() -> None:
    assert call_key(replace(TARGET, options={"stop": ["x"], "top_p": 0.9}), PREPARED, REQUEST) == KEY


def test_parts_cannot_run_into_each_other() -> None:
    first = replace(REQUEST, messages=(ChatMessage(role="user", content='a"},{"content":"b'),))
    second = replace(REQUEST, messages=(ChatMessage(role="user", content="a"), ChatMessage(role="user", content="b")))

    assert call_key(TARGET, PREPARED, first) != call_key(TARGET, PREPARED, second)


def test_a_surrogate_in_a_prompt_is_no_fault() -> None:
    assert len(call_key(TARGET, PREPARED, replace(REQUEST, messages=(ChatMessage(role="user", content="\ud800"),)))) == 64
