"""Secrets are told by their names."""

import pytest

from councils.secret_names import looks_secret, secret_names, without_secrets


@pytest.mark.parametrize(
    "name",
    [
        "key", "api_key", "API_KEY", "apikey", "api-key", "x-api-key", "openai_api_key", "access_key", "private-key", "secret",
        "client_secret", "password", "passwd", "token", "auth_token", "Authorization", "Bearer", "Cookie", "Set-Cookie", "credentials",
    ],
)  # fmt: skip
def test_names_of_secrets_are_known(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name", ["api_key_env", "max_tokens", "max_tokens_field", "token_limit", "keyboard", "monkey", "temperature", "secretary", "name", ""]
)
def test_names_that_only_look_alike_are_left_alone(name: str) -> None:
    assert not looks_secret(name)


def test_secrets_are_found_at_any_depth_with_their_path() -> None:
    value = {"extra": {"headers": [{"Authorization": "x"}, {"X-Team": "a"}]}, "token": {"inner": 1}, "top_p": 1}

    assert list(secret_names(value)) == ["extra.headers[0].Authorization", "token"]


def test_what_is_left_without_secrets_is_otherwise_the_same() -> None:
    value = {"extra": {"headers": [{"Authorization": "x", "X-Team": "a"}]}, "api_key": "y", "stop": ["a", "b"], "none": None}

    assert without_secrets(value) == {"extra": {"headers": [{"X-Team": "a"}]}, "stop": ["a", "b"], "none": None}
    assert value["api_key"] == "y", "the value itself is untouched"


@pytest.mark.parametrize("value", [None, 0, "", "token", [], {}, [1, [2]], {"a": [{"b": 1}]}])
def test_plain_values_hold_no_secrets(value: object) -> None:
    assert list(secret_names(value)) == []
    assert without_secrets(value) == value
