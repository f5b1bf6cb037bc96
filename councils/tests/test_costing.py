"""What a call is held for is never less than what it can cost."""

from dataclasses import replace
from decimal import Decimal

import pytest
from pytest_django.fixtures import Settings

from councils.costing import most_of_call, output_limit, own_limit, prompt_bound
from councils.engine.prompts import PreparedCall
from councils.engine.types import ChatMessage, Stage, StructuredMode
from councils.snapshot import ModelTarget

TARGET = ModelTarget(
    model_id=1,
    provider_id=1,
    name="model",
    label="Model",
    endpoints=(),
    api_key_env="",
    options={},
    provider_name="provider",
    kind="openai",
    structured_mode=StructuredMode.PLAIN,
    input_price=Decimal(1),
    output_price=Decimal(2),
    max_output_tokens=None,
)


def said(text: str) -> tuple[ChatMessage, ...]:
    return (ChatMessage(role="user", content=text),)


@pytest.mark.parametrize("text", ["a" * 300, "س" * 300, "漢" * 300, "🜚" * 300, "\ud800" * 300])
def test_a_prompt_may_be_a_token_a_byte_for_tokenizers_that_fall_back_to_bytes(text: str) -> None:
    assert prompt_bound(said(text)) >= len(text.encode(errors="replace"))


def test_the_form_of_a_ballot_is_part_of_the_prompt() -> None:
    schema = {"type": "object", "properties": {"rankings": {"type": "array"}}}

    assert prompt_bound(said("Rank."), schema) > prompt_bound(said("Rank.")) + 50


@pytest.mark.parametrize(
    ("seat", "model", "own", "held"), [(None, None, None, 4_096), (300, None, 300, 300), (None, 200, 200, 200), (300, 200, 200, 200)]
)
def test_the_smallest_limit_counts_and_a_budget_never_goes_without(
    settings: Settings, seat: int | None, model: int | None, own: int | None, held: int
) -> None:
    settings.BUDGET_OUTPUT_TOKENS = 4_096
    target = replace(TARGET, max_output_tokens=model)

    assert (own_limit(target, seat), output_limit(target, seat)) == (own, held)


def test_a_call_is_held_for_its_whole_prompt_and_its_longest_answer() -> None:
    prepared = PreparedCall(
        key="opinion:agent_1", stage=Stage.OPINIONS, agent_id="agent_1", models=("m",), messages=said("漢" * 1_000), max_tokens=1_000
    )

    most = most_of_call(prepared, TARGET)

    assert most is not None
    assert most >= 3 + 2
    assert most_of_call(prepared, replace(TARGET, input_price=None)) is None
