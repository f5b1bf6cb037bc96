"""What is kept of an answer."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from django.conf import settings

from councils.engine.types import Completion, FinishReason, Usage, UsageSource


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """A whole, valid answer. Tokens and time are what the paid call took; ``model`` is the name that the provider reported.

    The time goes on with the answer: a council does not wait less for a model because others of its seats were answered from the cache.
    """

    text: str
    model: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    usage_source: UsageSource = UsageSource.REPORTED
    latency_ms: int = 0

    @classmethod
    def of(cls, completion: Completion) -> Self | None:
        """``None`` for an answer that is not whole: cut, filtered or refused ones are asked for again."""
        if completion.finish_reason is not FinishReason.STOP or not completion.text.strip():
            return None
        usage = completion.usage
        return cls(
            text=completion.text,
            model=completion.model,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            usage_source=usage.source,
            latency_ms=completion.latency_ms,
        )

    def completion(self) -> Completion:
        """The answer as its call brought it."""
        usage = Usage(prompt_tokens=self.prompt_tokens, completion_tokens=self.completion_tokens, source=self.usage_source)
        return Completion(text=self.text, finish_reason=FinishReason.STOP, usage=usage, model=self.model, latency_ms=self.latency_ms)

    def to_json(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "model": self.model,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "usage_source": self.usage_source.value,
            "latency_ms": self.latency_ms,
        }

    @classmethod
    def from_json(cls, data: Any) -> Self | None:
        """``None`` for anything that ``to_json`` did not write: another version's value, or garbage, is no answer."""
        if not isinstance(data, Mapping) or set(data) != set(_FIELDS):
            return None
        if not all(is_right(data[name]) for name, is_right in _FIELDS.items()):
            return None
        return cls(**{**data, "usage_source": UsageSource(data["usage_source"])})


NAME_CHARS = 200
# What the columns of counts take.
MOST = 2**31 - 1
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _is_text(value: object, longest: int) -> bool:
    """Text that every database takes."""
    return isinstance(value, str) and len(value) <= longest and not _UNSTORABLE.search(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST


_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda value: _is_text(value, settings.LLM_MAX_RESPONSE_SIZE) and bool(value.strip()),
    "model": lambda value: _is_text(value, NAME_CHARS),
    "prompt_tokens": lambda value: value is None or _is_count(value),
    "completion_tokens": lambda value: value is None or _is_count(value),
    "usage_source": lambda value: value in [source.value for source in UsageSource],
    "latency_ms": _is_count,
}
