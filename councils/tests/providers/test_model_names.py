import pytest

from councils.providers.model_names import is_same_model


@pytest.mark.parametrize(
    ("asked", "reported"),
    [
        ("gpt-4.1-mini", "gpt-4.1-mini"),
        ("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14"),
        ("openai/gpt-4.1-mini", "gpt-4.1-mini"),
        ("gpt-4.1-mini", "openai/gpt-4.1-mini"),
        ("claude-haiku-4-5", "claude-haiku-4-5-20251001"),
        ("anthropic/claude-haiku-4-5", "claude-haiku-4-5@20251001"),
        ("gpt-4", "gpt-4-0613"),
        ("mistral-small-latest", "mistral-small-2506"),
        ("llama3.2", "llama3.2:latest"),
        ("llama3.2:1b", "llama3.2:1b"),
        ("deepseek/deepseek-r1:free", "deepseek/deepseek-r1"),
        ("qwen2.5-0.5b-instruct", "/models/Qwen2.5-0.5B-Instruct.gguf"),
        ("openrouter/auto", "google/gemini-2.5-flash"),
        ("anything", ""),
    ],
)
def test_one_model_has_many_names(asked: str, reported: str) -> None:
    assert is_same_model(asked, reported)


@pytest.mark.parametrize(
    ("asked", "reported"),
    [
        ("gpt-4.1", "gpt-4.1-mini"),
        ("gpt-4.1", "gpt-4o"),
        ("llama3.2:1b", "llama3.2:3b"),
        ("claude-opus-4-5", "claude-haiku-4-5-20251001"),
        ("openai/gpt-4.1", "openai/gpt-3.5-turbo"),
        ("mistral-large-latest", "mistral-small-2506"),
    ],
)
def test_a_sibling_is_another_model(asked: str, reported: str) -> None:
    assert not is_same_model(asked, reported)
