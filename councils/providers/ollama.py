"""Ollama's native API: one JSON object a line, token counts in the last, a schema in ``format``.

The terminal event is the object with ``"done": true``.
"""

from councils.engine.types import CompletionRequest, StructuredMode
from councils.providers.dialect import Draft, JsonObject, loose_object, names_of, object_of, text_of
from councils.providers.endpoint import Endpoint, keep_limit, with_extra
from councils.providers.sse import Framing, NdjsonFraming


class OllamaDialect:
    """``POST {base}/api/chat`` with newline-delimited JSON."""

    def framing(self) -> Framing:
        return NdjsonFraming()

    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        return {"authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}

    def chat_url(self, endpoint: Endpoint) -> str:
        return endpoint.url("/api/chat", drop="/api")

    def models_url(self, endpoint: Endpoint) -> str:
        return endpoint.url("/api/tags", drop="/api")

    def body(self, endpoint: Endpoint, request: CompletionRequest) -> JsonObject:
        options: JsonObject = {}
        if request.temperature is not None:
            options["temperature"] = request.temperature
        if request.max_tokens is not None:
            options["num_predict"] = request.max_tokens
        body: JsonObject = {
            "model": request.model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "stream": True,
            "options": options,
        }
        if request.structured is not StructuredMode.PLAIN:
            by_schema = request.structured is StructuredMode.JSON_SCHEMA and request.schema is not None
            body["format"] = dict(request.schema or {}) if by_schema else "json"
        body = with_extra(body, endpoint.extra)
        if request.max_tokens is not None:
            settings = body["options"] = dict(loose_object(body.get("options")))
            keep_limit(settings, ("num_predict",), request.max_tokens)
        return body

    def read(self, event: JsonObject, draft: Draft) -> str:
        draft.note_model(event.get("model"))
        message = object_of(event.get("message"))
        text = text_of(message.get("content"))
        if text or message.get("thinking"):
            draft.active = True
        if event.get("done") is True:
            draft.note_finish(event.get("done_reason") or "stop")
            draft.note_usage(prompt=event.get("prompt_eval_count"), completion=event.get("eval_count"))
            draft.ended = True
        return text

    def read_whole(self, answer: JsonObject, draft: Draft) -> str:
        return self.read(answer, draft)

    def model_names(self, listing: JsonObject) -> tuple[str, ...]:
        return names_of(listing.get("models"), "name")
