"""The three dialects as bytes, from the server's side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What of a request matters here."""

    dialect: str
    model: str
    prompt: str
    stream: bool
    schema: Mapping[str, Any] | None
    by_tool: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Token counts as they are told, which need not be numbers; ``None`` for a field that is left out."""

    prompt: Any
    completion: Any

    def named(self, prompt: str, completion: str) -> JsonObject:
        pairs = ((prompt, self.prompt), (completion, self.completion))
        return {name: None if value == "null" else value for name, value in pairs if value is not None}


class Wire(Protocol):
    """One dialect. Each method gives the bytes of one or more events."""

    content_type: str

    def begin(self, counts: Counts, /) -> bytes: ...

    def piece(self, text: str) -> bytes: ...

    def reasoning(self, text: str) -> bytes: ...

    def refusal(self, text: str, /) -> bytes:
        """Where a dialect has no field for a refusal, nothing."""
        ...

    def finish(self, reason: str, counts: Counts) -> bytes: ...

    def terminal(self) -> bytes: ...

    def comment(self) -> bytes: ...

    def malformed(self) -> bytes: ...

    def empty(self) -> bytes: ...

    def null(self) -> bytes: ...

    def error(self, message: str) -> bytes: ...

    def whole(self, text: str, reason: str, counts: Counts) -> bytes: ...

    def problem(self, kind: str, message: str) -> bytes: ...


def _event(content: JsonObject) -> bytes:
    return b"data: " + orjson.dumps(content) + b"\n\n"


class OpenAiWire:
    """``/v1/chat/completions``."""

    content_type = "text/event-stream"

    def __init__(self, model: str) -> None:
        self._base: JsonObject = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1, "model": model}
        # All but the text of a chunk is the same for the whole answer.
        frame = _event({**self._base, "choices": [{"index": 0, "delta": {"content": "@"}, "finish_reason": None}]})
        self._head, _, self._tail = frame.partition(b'"@"')

    def begin(self, _counts: Counts) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, text: str) -> bytes:
        return self._head + orjson.dumps(text) + self._tail

    def reasoning(self, text: str) -> bytes:
        return self._chunk({"reasoning_content": text})

    def refusal(self, text: str) -> bytes:
        return self._chunk({"refusal": text})

    def finish(self, reason: str, counts: Counts) -> bytes:
        usage = counts.named("prompt_tokens", "completion_tokens")
        last = self._chunk({}, "stop" if reason == "refusal" else reason)
        return last + (_event({**self._base, "choices": [], "usage": usage}) if usage else b"")

    def terminal(self) -> bytes:
        return b"data: [DONE]\n\n"

    def comment(self) -> bytes:
        return b": still working\n\n"

    def malformed(self) -> bytes:
        return b'data: {"choices": [{"delta": {"content": "brok\n\n'

    def empty(self) -> bytes:
        return _event({**self._base, "choices": []})

    def null(self) -> bytes:
        return self._chunk({"content": None})

    def error(self, message: str) -> bytes:
        return _event({"error": {"message": message, "type": "server_error", "code": None}})

    def whole(self, text: str, reason: str, counts: Counts) -> bytes:
        message = {"role": "assistant", "content": text}
        answer = {**self._base, "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": reason}]}
        if usage := counts.named("prompt_tokens", "completion_tokens"):
            answer["usage"] = {**usage, "total_tokens": 0}
        return orjson.dumps(answer)

    def problem(self, kind: str, message: str) -> bytes:
        return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": kind}})

    def _chunk(self, delta: JsonObject, reason: str | None = None) -> bytes:
        return _event({**self._base, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})


class OllamaWire:
    """``/api/chat``."""

    content_type = "application/x-ndjson"

    def __init__(self, model: str) -> None:
        self._base: JsonObject = {"model": model, "created_at": "2026-01-01T00:00:00Z"}

    def begin(self, _counts: Counts) -> bytes:
        return b""

    def piece(self, text: str) -> bytes:
        return self._line({"message": {"role": "assistant", "content": text}, "done": False})

    def reasoning(self, text: str) -> bytes:
        return self._line({"message": {"role": "assistant", "content": "", "thinking": text}, "done": False})

    def refusal(self, _text: str) -> bytes:
        return b""

    def finish(self, reason: str, counts: Counts) -> bytes:
        return self._last("", reason, counts)

    def terminal(self) -> bytes:
        return b""

    def comment(self) -> bytes:
        return b"\n"

    def malformed(self) -> bytes:
        return b'{"message": {"content": "brok\n'

    def empty(self) -> bytes:
        return self._line({"done": False})

    def null(self) -> bytes:
        return self._line({"message": {"role": "assistant", "content": None}, "done": False})

    def error(self, message: str) -> bytes:
        return orjson.dumps({"error": message}) + b"\n"

    def whole(self, text: str, reason: str, counts: Counts) -> bytes:
        return self._last(text, reason, counts)

    def problem(self, kind: str, message: str) -> bytes:
        return orjson.dumps({"error": f"{kind}: {message}"})

    def _last(self, text: str, reason: str, counts: Counts) -> bytes:
        message = {"role": "assistant", "content": text}
        return self._line({"message": message, "done": True, "done_reason": reason, **counts.named("prompt_eval_count", "eval_count")})

    def _line(self, content: JsonObject) -> bytes:
        return orjson.dumps({**self._base, **content}) + b"\n"


ANTHROPIC_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}


class AnthropicWire:
    """``/v1/messages``."""

    content_type = "text/event-stream"

    def __init__(self, model: str, *, by_tool: bool) -> None:
        self._model = model
        self._by_tool = by_tool

    def begin(self, counts: Counts) -> bytes:
        message: JsonObject = {
            "id": "msg_fake",
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": self._model,
            "stop_reason": None,
        }
        usage = counts.named("input_tokens", "output_tokens")
        start = self._event("message_start", message={**message, "usage": usage} if usage else message)
        block = {"type": "tool_use", "id": "toolu_fake", "name": "answer", "input": {}} if self._by_tool else {"type": "text", "text": ""}
        return start + self._event("content_block_start", index=0, content_block=block) + self._event("ping")

    def piece(self, text: str) -> bytes:
        delta = {"type": "input_json_delta", "partial_json": text} if self._by_tool else {"type": "text_delta", "text": text}
        return self._event("content_block_delta", index=0, delta=delta)

    def reasoning(self, text: str) -> bytes:
        return self._event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": text})

    def refusal(self, _text: str) -> bytes:
        return b""

    def finish(self, reason: str, counts: Counts) -> bytes:
        usage = counts.named("", "output_tokens")
        usage.pop("", None)
        delta = {"stop_reason": ANTHROPIC_REASONS.get(reason, reason), "stop_sequence": None}
        last = self._event("message_delta", delta=delta, usage=usage) if usage else self._event("message_delta", delta=delta)
        return self._event("content_block_stop", index=0) + last

    def terminal(self) -> bytes:
        return self._event("message_stop")

    def comment(self) -> bytes:
        return self._event("ping")

    def malformed(self) -> bytes:
        return b'event: content_block_delta\ndata: {"type": "content_block_delta", "delta": {"text": "brok\n\n'

    def empty(self) -> bytes:
        return self._event("content_block_delta", index=0, delta={})

    def null(self) -> bytes:
        return self._event("content_block_delta", index=0, delta={"type": "text_delta", "text": None})

    def error(self, message: str) -> bytes:
        return self._event("error", error={"type": "overloaded_error", "message": message})

    def whole(self, text: str, reason: str, counts: Counts) -> bytes:
        block: JsonObject = {"type": "text", "text": text}
        if self._by_tool:
            block = {"type": "tool_use", "id": "toolu_fake", "name": "answer", "input": orjson.loads(text)}
        message = {"id": "msg_fake", "type": "message", "role": "assistant", "content": [block], "model": self._model}
        usage = counts.named("input_tokens", "output_tokens")
        return orjson.dumps({**message, "stop_reason": ANTHROPIC_REASONS.get(reason, reason), "usage": usage})

    def problem(self, kind: str, message: str) -> bytes:
        return orjson.dumps({"type": "error", "error": {"type": kind, "message": message}})

    def _event(self, kind: str, **content: Any) -> bytes:
        return b"event: " + kind.encode() + b"\n" + _event({"type": kind, **content})


def wire_for(ask: Ask, model: str) -> Wire:
    """The dialect of ``ask``, speaking as ``model``."""
    match ask.dialect:
        case "ollama":
            return OllamaWire(model)
        case "anthropic":
            return AnthropicWire(model, by_tool=ask.by_tool)
        case _:
            return OpenAiWire(model)


def read_ask(dialect: str, body: JsonObject) -> Ask:
    """What a request asks. Raises ``KeyError``, ``TypeError`` or ``AttributeError`` where it is not of its dialect."""
    prompt = "\n".join([str(body.get("system", "")), *(str(message["content"]) for message in body["messages"])])
    schema: Any = None
    match dialect:
        case "ollama":
            schema = body.get("format")
        case "anthropic":
            schema = body["tools"][0]["input_schema"] if body.get("tools") else None
        case _:
            schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
    return Ask(
        dialect=dialect,
        model=str(body["model"]),
        prompt=prompt,
        # Ollama streams unless told not to, the others only when asked.
        stream=bool(body.get("stream", dialect == "ollama")),
        schema=schema if isinstance(schema, dict) else None,
        by_tool=dialect == "anthropic" and bool(body.get("tools")),
    )
