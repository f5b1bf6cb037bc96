"""Token counts: what a provider says is believed only where it can be true, the rest is estimated and marked."""

from math import ceil
from typing import Any

import orjson

from councils.engine.types import CompletionRequest, Usage, UsageSource

CHARS_PER_TOKEN = 4
# No model reads or writes ten million tokens in one call; what says so is a fault, and would empty a budget.
ABSURD_TOKENS = 10_000_000
TOKENS_PER_MESSAGE = 4


def token_count(value: Any) -> int | None:
    """``value`` as a count of tokens; ``None`` where it is none (negative, a string, a bool, absurd)."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < ABSURD_TOKENS else None


def estimate_tokens(text: str) -> int:
    """About how many tokens ``text`` has: four characters each, rounded up."""
    return ceil(len(text) / CHARS_PER_TOKEN)


def estimate_prompt_tokens(request: CompletionRequest) -> int:
    """About how many tokens the prompt of ``request`` has, its schema included."""
    tokens = sum(estimate_tokens(message.content) + TOKENS_PER_MESSAGE for message in request.messages)
    if request.schema is None:
        return tokens
    return tokens + estimate_tokens(orjson.dumps(request.schema).decode())


def settled_usage(request: CompletionRequest, *, written: int, prompt: int | None, completion: int | None) -> Usage:
    """Usage of a call that wrote ``written`` characters: as reported where both counts are known, else completed by estimates."""
    if prompt is not None and completion is not None:
        return Usage(prompt_tokens=prompt, completion_tokens=completion)
    return Usage(
        prompt_tokens=estimate_prompt_tokens(request) if prompt is None else prompt,
        completion_tokens=ceil(written / CHARS_PER_TOKEN) if completion is None else completion,
        source=UsageSource.ESTIMATED,
    )
