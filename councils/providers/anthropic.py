"""Anthropic's Messages API.

The system prompt travels apart from the messages and a token limit is required. A schema is enforced by offering one tool whose input
is the answer and demanding its use, which every model of theirs understands; the input arrives as pieces of JSON text. There is no
"any JSON" mode: ``json_object`` sends nothing and trusts the prompt. The terminal event is ``message_stop``; the answer is whole with
the ``stop_reason`` of ``message_delta``. Counts in ``message_delta`` are cumulative.
"""

import orjson

from councils.engine.types import CompletionRequest, StructuredMode
from councils.providers.dialect import Draft, JsonObject, loose_object, names_of, object_of, objects_of, text_of
from councils.providers.endpoint import Endpoint, keep_limit, with_extra
from councils.providers.sse import Framing, SseFraming
from councils.providers.usage import token_count

API_VERSION = "2023-06-01"
DEFAULT_MAX_TOKENS = 4096
# What is read from and written to the prompt cache is part of the prompt, but not of ``input_tokens``.
PROMPT_COUNTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class AnthropicDialect:
    """``POST {base}/v1/messages`` with server-sent events."""

    def framing(self) -> Framing:
        return SseFraming()

    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        headers = {"anthropic-version": str(endpoint.extra.get("api_version", API_VERSION))}
        if endpoint.api_key:
            headers["x-api-key"] = endpoint.api_key
        return headers

    def chat_url(self, endpoint: Endpoint) -> str:
        return endpoint.url("/v1/messages", drop="/v1")

    def models_url(self, endpoint: Endpoint) -> str:
        return endpoint.url("/v1/models", drop="/v1")

    def body(self, endpoint: Endpoint, request: CompletionRequest) -> JsonObject:
        system = "\n\n".join(message.content for message in request.messages if message.role == "system")
        body: JsonObject = {
            "model": request.model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages if message.role != "system"],
            "max_tokens": request.max_tokens or DEFAULT_MAX_TOKENS,
            "stream": True,
        }
        if system:
            body["system"] = system
        if request.temperature is not None:
            # The scale ends at 1 here, at 2 elsewhere; a seat keeps its setting when its model is replaced.
            body["temperature"] = min(request.temperature, 1.0)
        if request.structured is StructuredMode.JSON_SCHEMA and request.schema is not None:
            body["tools"] = [{"name": request.schema_name, "description": "Give your answer.", "input_schema": dict(request.schema)}]
            body["tool_choice"] = {"type": "tool", "name": request.schema_name}
        body = with_extra(body, endpoint.extra)
        keep_limit(body, ("max_tokens",), request.max_tokens)
        return body

    def read(self, event: JsonObject, draft: Draft) -> str:
        match event.get("type"):
            case "content_block_delta":
                return _read_delta(object_of(event.get("delta")), draft)
            case "content_block_start":
                return _active(text_of(object_of(event.get("content_block")).get("text")), draft)
            case "message_start":
                message = object_of(event.get("message"))
                draft.note_model(message.get("model"))
                _read_usage(message.get("usage"), draft)
            case "message_delta":
                draft.note_finish(object_of(event.get("delta")).get("stop_reason"))
                _read_usage(event.get("usage"), draft)
            case "message_stop":
                draft.ended = True
        return ""

    def read_whole(self, answer: JsonObject, draft: Draft) -> str:
        draft.note_model(answer.get("model"))
        _read_usage(answer.get("usage"), draft)
        draft.note_finish(answer.get("stop_reason"))
        draft.ended = answer.get("type") == "message"
        return "".join(_block_text(block) for block in objects_of(answer.get("content")))

    def model_names(self, listing: JsonObject) -> tuple[str, ...]:
        return names_of(listing.get("data"), "id")


def _read_delta(delta: JsonObject, draft: Draft) -> str:
    match delta.get("type"):
        case "text_delta":
            return _active(text_of(delta.get("text")), draft)
        case "input_json_delta":
            return _active(text_of(delta.get("partial_json")), draft)
        case "thinking_delta":
            draft.active = True
    return ""


def _active(text: str, draft: Draft) -> str:
    draft.active = draft.active or bool(text)
    return text


def _read_usage(value: object, draft: Draft) -> None:
    usage = loose_object(value)
    counts = [token_count(usage.get(name)) for name in PROMPT_COUNTS if usage.get(name) is not None]
    # One impossible part makes the sum unknown; no part at all (a later event) says nothing new.
    prompt = sum(count for count in counts if count is not None) if counts and None not in counts else None
    draft.note_usage(prompt=prompt, completion=usage.get("output_tokens"))


def _block_text(block: JsonObject) -> str:
    if block.get("type") == "tool_use":
        return orjson.dumps(object_of(block.get("input"))).decode()
    return text_of(block.get("text"))
