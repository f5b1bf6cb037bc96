"""OpenAI's Chat Completions and everything that speaks it: OpenRouter, vLLM, llama.cpp, LM Studio and many more.

An answer is whole when a choice carries a ``finish_reason``; ``[DONE]`` only says that nothing follows. Some gateways never send it, so
a clean end of the stream after a ``finish_reason`` is accepted, and without either the answer is broken.
"""

from collections.abc import Mapping
from typing import Any

from councils.engine.errors import ProviderUnavailable
from councils.engine.types import CompletionRequest, StructuredMode
from councils.providers.dialect import Draft, JsonObject, loose_object, names_of, object_of, objects_of, text_of
from councils.providers.endpoint import Endpoint, is_sealed, keep_limit, with_extra
from councils.providers.sse import Framing, SseFraming

# Servers read one or the other, some both.
LIMIT_FIELDS = ("max_tokens", "max_completion_tokens")


class OpenAiDialect:
    """``POST {base}/chat/completions`` with server-sent events."""

    def framing(self) -> Framing:
        return SseFraming()

    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        return {"authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}

    def chat_url(self, endpoint: Endpoint) -> str:
        return endpoint.url("/chat/completions")

    def models_url(self, endpoint: Endpoint) -> str:
        return endpoint.url("/models")

    def body(self, endpoint: Endpoint, request: CompletionRequest) -> JsonObject:
        body: JsonObject = {
            "model": request.model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.temperature is not None:
            body["temperature"] = request.temperature
        limit_field = _limit_field(endpoint)
        if request.max_tokens is not None:
            body[limit_field] = request.max_tokens
        if response_format := _response_format(request, strict=endpoint.extra.get("strict_schema") is not False):
            body["response_format"] = response_format
        body = with_extra(body, endpoint.extra)
        keep_limit(body, (limit_field, *LIMIT_FIELDS), request.max_tokens)
        return body

    def read(self, event: JsonObject, draft: Draft) -> str:
        draft.note_model(event.get("model"))
        if usage := loose_object(event.get("usage")):
            draft.note_usage(prompt=usage.get("prompt_tokens"), completion=usage.get("completion_tokens"))
        choices = objects_of(event.get("choices"))
        return _read_choice(choices[0], draft) if choices else ""

    def read_whole(self, answer: JsonObject, draft: Draft) -> str:
        text = self.read(answer, draft)
        draft.ended = bool(answer.get("choices"))
        return text

    def model_names(self, listing: JsonObject) -> tuple[str, ...]:
        return names_of(listing.get("data"), "id")


def _limit_field(endpoint: Endpoint) -> str:
    """By which name the server is told its token limit."""
    name = str(endpoint.extra.get("max_tokens_field", "max_tokens"))
    return "max_tokens" if is_sealed(name) else name


def _response_format(request: CompletionRequest, *, strict: bool) -> JsonObject | None:
    if request.structured is StructuredMode.PLAIN:
        return None
    if request.structured is StructuredMode.JSON_OBJECT or request.schema is None:
        return {"type": "json_object"}
    schema = _strict(request.schema) if strict else request.schema
    return {"type": "json_schema", "json_schema": {"name": request.schema_name, "strict": strict, "schema": schema}}


def _strict(schema: Any) -> Any:
    """``schema`` without the limits on string lengths, which strict mode refuses; whoever reads the answer checks it anyway."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {name: _strict(part) for name, part in schema.items() if not (name in ("minLength", "maxLength") and isinstance(part, int))}


def _read_choice(choice: JsonObject, draft: Draft) -> str:
    if choice.get("finish_reason") == "error":
        raise ProviderUnavailable("The provider broke off with finish_reason error.")
    # A stream brings deltas, an answer in one piece brings a message: the fields are the same.
    part = object_of(choice.get("delta")) or object_of(choice.get("message"))
    text = _content_text(part.get("content"))
    refusal = text_of(part.get("refusal"))
    draft.refusal += refusal
    if text or refusal or part.get("reasoning") or part.get("reasoning_content"):
        draft.active = True
    draft.note_finish(choice.get("finish_reason"))
    return text


def _content_text(content: Any) -> str:
    """Content is a text, ``null``, or (Mistral) a list of typed parts of which only some are text."""
    if isinstance(content, list):
        return "".join(text_of(part.get("text")) for part in objects_of(content) if part.get("type") == "text")
    return text_of(content)
