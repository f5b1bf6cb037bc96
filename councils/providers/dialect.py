"""What the three dialects have in common: the draft of an answer they fill, and careful access to JSON written by strangers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from councils.engine.types import CompletionRequest, FinishReason
from councils.providers.endpoint import Endpoint
from councils.providers.sse import Framing
from councils.providers.usage import token_count

JsonObject = dict[str, Any]

FINISH_REASONS: Mapping[str, FinishReason] = {
    "stop": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "tool_use": FinishReason.STOP,  # The only tool we ever offer is the form of the answer.
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "content_filter": FinishReason.FILTERED,
    "refusal": FinishReason.REFUSAL,
}


class MalformedEventError(ValueError):
    """An event that is JSON, but not what its dialect allows."""


@dataclass(slots=True)
class Draft:
    """What a stream has told so far, besides its text.

    ``finish`` is set once the provider has said why it stopped: from then on the text is whole. ``ended`` is set by the terminal event,
    after which nothing is read. ``active`` says that the last event carried work of the model, be it text or hidden reasoning;
    whoever reads it clears it.
    """

    model: str = ""
    finish: FinishReason | None = None
    ended: bool = False
    active: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    refusal: str = ""

    def note_model(self, value: Any) -> None:
        if isinstance(value, str) and value:
            self.model = value

    def note_finish(self, value: Any) -> None:
        """Keep the provider's reason to stop. ``None`` and empty mean that it goes on."""
        if value is None or value == "":
            return
        self.finish = FINISH_REASONS.get(text_of(value), FinishReason.OTHER)

    def note_usage(self, *, prompt: Any, completion: Any) -> None:
        """Keep token counts, which are cumulative in every dialect: an impossible value is ignored, a smaller one is not believed."""
        self.prompt_tokens = _larger(self.prompt_tokens, token_count(prompt))
        self.completion_tokens = _larger(self.completion_tokens, token_count(completion))


class Dialect(Protocol):
    """How one family of servers is spoken to. Pure: builds requests and reads events, touches no socket."""

    def framing(self) -> Framing: ...

    def headers(self, endpoint: Endpoint) -> dict[str, str]: ...

    def chat_url(self, endpoint: Endpoint) -> str: ...

    def models_url(self, endpoint: Endpoint) -> str: ...

    def body(self, endpoint: Endpoint, request: CompletionRequest) -> JsonObject: ...

    def read(self, event: JsonObject, draft: Draft) -> str:
        """The text that one event of a stream adds; everything else goes into ``draft``. Raises ``MalformedEventError``."""
        ...

    def read_whole(self, answer: JsonObject, draft: Draft) -> str:
        """The text of an answer that came in one piece although a stream was asked for."""
        ...

    def model_names(self, listing: JsonObject) -> tuple[str, ...]: ...


def text_of(value: Any) -> str:
    """``value`` as text; ``None`` is no text. Anything else is malformed."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedEventError("text expected")
    return value


def object_of(value: Any) -> JsonObject:
    """``value`` as a JSON object; ``None`` is an empty one. Anything else is malformed."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedEventError("object expected")
    return value


def objects_of(value: Any) -> list[JsonObject]:
    """``value`` as a list of JSON objects; ``None`` is an empty one. Anything else is malformed."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedEventError("list expected")
    return [object_of(item) for item in value]


def names_of(value: Any, key: str) -> tuple[str, ...]:
    """What a list of JSON objects says by this key, without odd entries. A list of nothing else is malformed, ``None`` is empty."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise MalformedEventError("list expected")
    names = tuple(name for item in value if isinstance(name := loose_object(item).get(key), str))
    if value and not names:
        raise MalformedEventError("names expected")
    return names


def loose_object(value: Any) -> JsonObject:
    """``value`` where it is a JSON object, else an empty one: for what is only nice to have, like usage."""
    return value if isinstance(value, dict) else {}


def _larger(known: int | None, said: int | None) -> int | None:
    if known is None or said is None:
        return known if said is None else said
    return max(known, said)
