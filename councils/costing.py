"""What calls may cost, before they are made: upper estimates, so that nothing is spent that was not held back."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import orjson
from django.conf import settings

from councils.engine.prompts import PreparedCall
from councils.engine.types import ChatMessage, Usage
from councils.providers.usage import TOKENS_PER_MESSAGE
from councils.snapshot import ModelTarget


def own_limit(target: ModelTarget, max_tokens: int | None) -> int | None:
    """How many tokens an answer of this model may have: the smaller of the seat's and the model's limit; ``None`` without any."""
    return min((limit for limit in (max_tokens, target.max_output_tokens) if limit), default=None)


def output_limit(target: ModelTarget, max_tokens: int | None) -> int:
    """The same where a budget pays, which holds so many tokens and so must ask for no more: without any limit the site's default."""
    return own_limit(target, max_tokens) or int(settings.BUDGET_OUTPUT_TOKENS)


def prompt_bound(messages: Iterable[ChatMessage], schema: Mapping[str, Any] | None = None) -> int:
    """Tokens that a prompt has at most, in any script and for any tokenizer."""
    sizes = [text_bound(message.content) for message in messages]
    if schema is not None:
        sizes.append(len(orjson.dumps(schema)))
    return sum(size + TOKENS_PER_MESSAGE for size in sizes)


def text_bound(text: str) -> int:
    """Tokens that a text has at most: one a byte. No tokenizer makes more of it, and some do of scripts that they hardly know."""
    return len(text.encode(errors="replace"))


def cost_of(target: ModelTarget, *, prompt_tokens: int, output_tokens: int) -> Decimal | None:
    """USD for so many tokens; ``None`` where a price is missing."""
    return target.cost(Usage(prompt_tokens=prompt_tokens, completion_tokens=output_tokens))


def most_of_call(prepared: PreparedCall, target: ModelTarget) -> Decimal | None:
    """USD that this call costs at most; ``None`` where a price is missing."""
    prompt = prompt_bound(prepared.messages, prepared.schema)
    return cost_of(target, prompt_tokens=prompt, output_tokens=output_limit(target, prepared.max_tokens))
