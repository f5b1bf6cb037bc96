from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councils.caching.answers import KeptAnswer
from councils.engine.types import Completion, FinishReason, Usage, UsageSource

WHOLE = Completion(
    text="Blue.", finish_reason=FinishReason.STOP, usage=Usage(prompt_tokens=10, completion_tokens=2), model="m-1", latency_ms=900
)
KEPT = KeptAnswer(text="Blue.", model="m-1", prompt_tokens=10, completion_tokens=2, latency_ms=900)


@pytest.mark.parametrize("reason", [reason for reason in FinishReason if reason is not FinishReason.STOP])
def test_only_whole_answers_are_kept(reason: FinishReason) -> None:
    assert KeptAnswer.of(replace(WHOLE, finish_reason=reason)) is None


def test_an_empty_answer_is_not_kept() -> None:
    assert KeptAnswer.of(replace(WHOLE, text=" \n")) is None


def test_an_answer_comes_back_as_it_was() -> None:
    kept = KeptAnswer.of(WHOLE)

    assert kept == KEPT
    assert kept.completion() == WHOLE


@given(
    text=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1).filter(str.strip),
    tokens=st.none() | st.integers(0, 2**31 - 1),
    source=st.sampled_from(UsageSource),
)
def test_what_was_written_is_read_again(text: str, tokens: int | None, source: UsageSource) -> None:
    answer = KeptAnswer(text=text, model="m", prompt_tokens=tokens, completion_tokens=tokens, usage_source=source)

    assert KeptAnswer.from_json(answer.to_json()) == answer


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(st.recursive(LEAVES, lambda part: st.lists(part) | st.dictionaries(st.text(), part)))
def test_garbage_is_no_answer(value: Any) -> None:
    assert KeptAnswer.from_json(value) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", ""),
        ("text", None),
        ("text", ["Blue."]),
        ("model", 3),
        ("prompt_tokens", -1),
        ("prompt_tokens", "10"),
        ("completion_tokens", True),
        ("completion_tokens", 2.5),
        ("usage_source", "guessed"),
        ("usage_source", []),
        ("usage_source", {}),
        ("text", "a\ud800b"),
        ("text", "a\x00b"),
        ("text", "x" * 50_001),
        ("model", "m\x00"),
        ("model", "m" * 201),
        ("prompt_tokens", 10**30),
        ("latency_ms", None),
        ("latency_ms", -1),
    ],
)
def test_a_value_with_one_wrong_field_is_no_answer(field: str, value: Any) -> None:
    assert KeptAnswer.from_json(KEPT.to_json() | {field: value}) is None


def test_a_value_with_other_fields_is_of_another_version() -> None:
    assert KeptAnswer.from_json(KEPT.to_json() | {"more": 1}) is None
    assert KeptAnswer.from_json({"text": "Blue."}) is None
