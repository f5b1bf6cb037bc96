from typing import Any

import pytest

from councils.engine.types import UsageSource
from councils.providers.usage import ABSURD_TOKENS, estimate_prompt_tokens, estimate_tokens, settled_usage, token_count
from councils.tests.providers.support import SCHEMA, request


@pytest.mark.parametrize("value", [0, 1, 5_000, ABSURD_TOKENS - 1])
def test_a_plausible_count_is_believed(value: int) -> None:
    assert token_count(value) == value


@pytest.mark.parametrize("value", [-1, "12", True, False, 1.5, None, [], {}, ABSURD_TOKENS, 10**30, float("inf")])
def test_an_impossible_count_is_unknown(value: Any) -> None:
    assert token_count(value) is None


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2)])
def test_four_characters_are_about_a_token(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


def test_a_schema_is_part_of_the_prompt() -> None:
    assert estimate_prompt_tokens(request(schema=SCHEMA)) > estimate_prompt_tokens(request())


def test_reported_counts_are_kept_as_reported() -> None:
    usage = settled_usage(request(), written=4_000, prompt=3, completion=7)

    assert (usage.prompt_tokens, usage.completion_tokens, usage.source) == (3, 7, UsageSource.REPORTED)


def test_one_missing_count_is_estimated_and_the_whole_is_marked() -> None:
    usage = settled_usage(request(), written=40, prompt=3, completion=None)

    assert (usage.prompt_tokens, usage.completion_tokens, usage.source) == (3, 10, UsageSource.ESTIMATED)


def test_usage_without_any_report_is_never_zero_for_a_real_call() -> None:
    usage = settled_usage(request(), written=1, prompt=None, completion=None)

    assert usage.prompt_tokens
    assert usage.completion_tokens
