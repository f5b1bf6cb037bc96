from typing import Any

import pytest
from django.core.exceptions import ValidationError

from councils.models import Provider
from councils.models.options import MAX_VALUES, OptionsFormField, validate_options

DEEP = '{"a":' * 2_000 + "1" + "}" * 2_000


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize("value", [{}, {"temperature": None}, {"a": [1, 2.5, True, "é"]}, nested(5)])
def test_plain_objects_are_options(value: Any) -> None:
    validate_options(value)


@pytest.mark.parametrize(
    "value",
    [
        [],
        "text",
        {"a": float("nan")},
        {"a": [float("inf")]},
        {"a": "\ud800"},
        {"a\x00": 1},
        {"a": {"b": ["\x00"]}},
        nested(7),
        {str(n): n for n in range(MAX_VALUES)},
    ],
)
def test_what_cannot_be_stored_or_sent_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        validate_options(value)


def test_json_too_deep_for_python_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValidationError, match="too deep"):
        OptionsFormField().clean(DEEP)


def test_the_admins_form_uses_the_strict_field() -> None:
    assert isinstance(Provider._meta.get_field("options").formfield(), OptionsFormField)


@pytest.mark.parametrize("name", ["model", "Model", "messages", "n", "best_of", "stream", "system"])
def test_no_option_changes_what_is_asked_or_how_often_it_is_paid(name: str) -> None:
    with pytest.raises(ValidationError, match=f"The site sets {name} by itself"):
        validate_options({name: None})
    with pytest.raises(ValidationError, match="token limit"):
        validate_options({"max_tokens_field": name})
