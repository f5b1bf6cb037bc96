from typing import Any

import pytest

from councils.engine.types import ChatMessage, CompletionRequest, StructuredMode
from councils.providers.anthropic import DEFAULT_MAX_TOKENS
from councils.providers.endpoint import SEALED, Endpoint, EndpointKind
from councils.providers.factory import DIALECTS
from councils.tests.providers.support import SCHEMA, request

OPENAI, OLLAMA, ANTHROPIC = EndpointKind.OPENAI, EndpointKind.OLLAMA, EndpointKind.ANTHROPIC


def body(kind: EndpointKind, asked: CompletionRequest, **extra: Any) -> dict[str, Any]:
    return DIALECTS[kind].body(Endpoint(base_url="https://models.example", kind=kind, extra=extra), asked)


@pytest.mark.parametrize("kind", list(EndpointKind))
def test_every_dialect_asks_for_a_stream_of_the_model(kind: EndpointKind) -> None:
    sent = body(kind, request("tiny", "Hello"))

    assert (sent["model"], sent["stream"], sent["messages"]) == ("tiny", True, [{"role": "user", "content": "Hello"}])


@pytest.mark.parametrize("kind", list(EndpointKind))
def test_what_was_not_set_is_not_sent(kind: EndpointKind) -> None:
    sent = body(kind, request())

    assert not {"temperature", "response_format", "format", "tools", "system"} & set(sent)
    assert sent.get("options", {}) == {}


@pytest.mark.parametrize("kind", list(EndpointKind))
def test_extra_fields_replace_and_remove_ours(kind: EndpointKind) -> None:
    sent = body(kind, request(temperature=0.5), temperature=None, keep_alive="5m")

    assert "temperature" not in sent
    assert sent["keep_alive"] == "5m"


@pytest.mark.parametrize("kind", list(EndpointKind))
def test_options_change_neither_model_nor_question_nor_the_number_of_answers(kind: EndpointKind) -> None:
    wishes = dict.fromkeys(SEALED, 5) | {"Model": "other", "MESSAGE\u017f": [], "max_tokens_field": "n"}

    assert body(kind, request(max_tokens=50), **wishes) == body(kind, request(max_tokens=50))
    assert body(kind, request(), **dict.fromkeys(SEALED)) == body(kind, request())


def test_openai_asks_for_usage_in_the_stream() -> None:
    assert body(OPENAI, request())["stream_options"] == {"include_usage": True}


def test_openai_takes_limit_and_temperature() -> None:
    sent = body(OPENAI, request(max_tokens=50, temperature=0.0))

    assert (sent["max_tokens"], sent["temperature"]) == (50, 0.0)


def test_reasoning_models_get_the_limit_under_their_own_name() -> None:
    sent = body(OPENAI, request(max_tokens=50), max_tokens_field="max_completion_tokens")

    assert sent["max_completion_tokens"] == 50
    assert not {"max_tokens", "max_tokens_field"} & set(sent)


def test_openai_asks_for_a_schema_strictly() -> None:
    sent = body(OPENAI, request(schema=SCHEMA, schema_name="ballot", structured=StructuredMode.JSON_SCHEMA))

    assert sent["response_format"] == {"type": "json_schema", "json_schema": {"name": "ballot", "strict": True, "schema": SCHEMA}}


def test_openai_is_spared_the_limits_that_strict_mode_refuses() -> None:
    word = {"type": "string", "minLength": 1, "maxLength": 40}
    schema = {"type": "object", "properties": {"maxLength": word}, "anyOf": [{"maxLength": 3, "enum": ["a"]}]}

    sent = body(OPENAI, request(schema=schema, structured=StructuredMode.JSON_SCHEMA))

    assert sent["response_format"]["json_schema"]["schema"] == {
        "type": "object",
        "properties": {"maxLength": {"type": "string"}},
        "anyOf": [{"enum": ["a"]}],
    }


def test_a_server_that_honours_limits_on_lengths_gets_them() -> None:
    schema = {"type": "string", "maxLength": 40}

    sent = body(OPENAI, request(schema=schema, structured=StructuredMode.JSON_SCHEMA), strict_schema=False)

    assert sent["response_format"]["json_schema"] == {"name": "answer", "strict": False, "schema": schema}
    assert "strict_schema" not in sent


def test_openai_asks_for_any_json() -> None:
    sent = body(OPENAI, request(schema=SCHEMA, structured=StructuredMode.JSON_OBJECT))

    assert sent["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize("kind", list(EndpointKind))
def test_a_plain_request_keeps_its_schema_to_itself(kind: EndpointKind) -> None:
    assert body(kind, request(schema=SCHEMA)) == body(kind, request())


def test_ollama_puts_its_settings_into_options_and_keeps_those_of_the_endpoint() -> None:
    sent = body(OLLAMA, request(max_tokens=50, temperature=0.5), options={"num_ctx": 8192})

    assert sent["options"] == {"num_predict": 50, "temperature": 0.5, "num_ctx": 8192}


def test_ollama_takes_the_schema_as_format() -> None:
    assert body(OLLAMA, request(schema=SCHEMA, structured=StructuredMode.JSON_SCHEMA))["format"] == SCHEMA
    assert body(OLLAMA, request(schema=SCHEMA, structured=StructuredMode.JSON_OBJECT))["format"] == "json"


def test_anthropic_takes_the_system_prompt_apart_from_the_messages() -> None:
    messages = (
        ChatMessage(role="system", content="Be brief."),
        ChatMessage(role="user", content="Hi"),
        ChatMessage(role="system", content="Be kind."),
    )
    sent = body(ANTHROPIC, CompletionRequest(model="m", messages=messages))

    assert sent["system"] == "Be brief.\n\nBe kind."
    assert sent["messages"] == [{"role": "user", "content": "Hi"}]


def test_anthropic_always_gets_the_limit_it_requires() -> None:
    assert body(ANTHROPIC, request())["max_tokens"] == DEFAULT_MAX_TOKENS
    assert body(ANTHROPIC, request(max_tokens=50))["max_tokens"] == 50


def test_a_temperature_beyond_anthropics_scale_is_its_highest() -> None:
    assert body(ANTHROPIC, request(temperature=1.7))["temperature"] == 1.0


def test_anthropic_is_given_the_schema_as_the_one_tool_it_must_use() -> None:
    sent = body(ANTHROPIC, request(schema=SCHEMA, schema_name="ballot", structured=StructuredMode.JSON_SCHEMA))

    assert [(tool["name"], tool["input_schema"]) for tool in sent["tools"]] == [("ballot", SCHEMA)]
    assert sent["tool_choice"] == {"type": "tool", "name": "ballot"}


def test_anthropic_has_no_mode_for_any_json() -> None:
    assert "tools" not in body(ANTHROPIC, request(schema=SCHEMA, structured=StructuredMode.JSON_OBJECT))


@pytest.mark.parametrize(
    ("kind", "base", "url"),
    [
        (OPENAI, "https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
        (OPENAI, "http://vllm:8000/v1/", "http://vllm:8000/v1/chat/completions"),
        (
            OPENAI,
            "https://x.openai.azure.example/openai/deployments/d/?api-version=2025",
            "https://x.openai.azure.example/openai/deployments/d/chat/completions?api-version=2025",
        ),
        (OLLAMA, "http://ollama:11434", "http://ollama:11434/api/chat"),
        (OLLAMA, "http://ollama:11434/api/", "http://ollama:11434/api/chat"),
        (ANTHROPIC, "https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
        (ANTHROPIC, "https://api.anthropic.com/v1", "https://api.anthropic.com/v1/messages"),
    ],
)
def test_a_base_address_is_understood_however_people_write_it(kind: EndpointKind, base: str, url: str) -> None:
    assert DIALECTS[kind].chat_url(Endpoint(base_url=base, kind=kind)) == url


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        (OPENAI, {"authorization": "Bearer key"}),
        (OLLAMA, {"authorization": "Bearer key"}),
        (ANTHROPIC, {"x-api-key": "key", "anthropic-version": "2023-06-01"}),
    ],
)
def test_each_dialect_shows_the_key_in_its_own_way(kind: EndpointKind, headers: dict[str, str]) -> None:
    assert DIALECTS[kind].headers(Endpoint(base_url="https://models.example", api_key="key")) == headers


@pytest.mark.parametrize("kind", list(EndpointKind))
def test_without_a_key_no_credentials_are_sent(kind: EndpointKind) -> None:
    headers = DIALECTS[kind].headers(Endpoint(base_url="https://models.example"))

    assert not {"authorization", "x-api-key"} & set(headers)


def test_anthropics_version_can_be_chosen() -> None:
    headers = DIALECTS[ANTHROPIC].headers(Endpoint(base_url="https://models.example", extra={"api_version": "2030-01-01"}))

    assert headers["anthropic-version"] == "2030-01-01"
    assert "api_version" not in body(ANTHROPIC, request(), api_version="2030-01-01")


def limits(kind: EndpointKind, sent: dict[str, Any]) -> set[int]:
    """Every limit on an answer's length that is in a request."""
    fields = sent.get("options", {}) if kind is OLLAMA else sent
    return {value for name, value in fields.items() if name in {"max_tokens", "max_completion_tokens", "num_predict"}}


WIDE: list[tuple[EndpointKind, dict[str, Any]]] = [
    *((OPENAI, {"max_tokens": value}) for value in (9_000, None, 0, -1, "9000", True, 9e3)),
    (OPENAI, {"max_completion_tokens": 9_000}),
    (OPENAI, {"max_completion_tokens": 9_000, "max_tokens": None}),
    (OPENAI, {"max_tokens_field": "max_completion_tokens", "max_tokens": 9_000, "max_completion_tokens": None}),
    *((OLLAMA, {"options": {"num_predict": value}}) for value in (9_000, None, -1, -2, 0)),
    *((OLLAMA, {"options": value}) for value in (None, "none", {"num_ctx": 8192})),
    *((ANTHROPIC, {"max_tokens": value}) for value in (9_000, None, 0)),
]


@pytest.mark.parametrize(("kind", "extra"), WIDE)
def test_options_cannot_lift_the_limit_that_a_budget_held(kind: EndpointKind, extra: dict[str, Any]) -> None:
    assert limits(kind, body(kind, request(max_tokens=50), **extra)) == {50}


@pytest.mark.parametrize(
    ("kind", "extra"), [(OPENAI, {"max_tokens": 20}), (OLLAMA, {"options": {"num_predict": 20}}), (ANTHROPIC, {"max_tokens": 20})]
)
def test_options_may_make_the_limit_smaller(kind: EndpointKind, extra: dict[str, Any]) -> None:
    assert limits(kind, body(kind, request(max_tokens=50), **extra)) == {20}


@pytest.mark.parametrize(
    ("kind", "extra"), [(OPENAI, {"max_tokens": 9_000}), (OLLAMA, {"options": {"num_predict": 9_000}}), (ANTHROPIC, {"max_tokens": 9_000})]
)
def test_options_set_the_limit_where_the_request_has_none(kind: EndpointKind, extra: dict[str, Any]) -> None:
    assert limits(kind, body(kind, request(), **extra)) == {9_000}


def test_a_field_that_the_server_does_not_know_goes_where_the_limit_stands_in_another() -> None:
    sent = body(OPENAI, request(max_tokens=50), max_tokens_field="max_completion_tokens", max_tokens=None)

    assert (sent["max_completion_tokens"], "max_tokens" in sent) == (50, False)


def test_the_options_of_a_provider_stay_as_they_are() -> None:
    options = {"options": {"num_predict": 9_000}}
    body(OLLAMA, request(max_tokens=50), **options)

    assert options == {"options": {"num_predict": 9_000}}
