"""A field for JSON that people write: small, plain, and fit for every database and every page."""

import math
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.forms.fields import InvalidJSONInput

from councils.providers.endpoint import is_sealed

MAX_DEPTH = 6
MAX_VALUES = 200


def validate_options(value: Any) -> None:
    """Only an object of plain JSON: no NaN, no characters that cannot be stored, not deep, not large.

    And none that would change what is asked, of which model, or how many answers are paid for.
    """
    if not isinstance(value, dict):
        raise ValidationError('Write a JSON object, for instance {"max_tokens_field": "max_completion_tokens"}.')
    count = 0
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        part, depth = waiting.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_VALUES:
            raise ValidationError(f"This is too large: at most {MAX_VALUES} values, {MAX_DEPTH} levels deep.")
        waiting += [(inner, depth + 1) for inner in _inside(part)]
        _check_plain(part)
    _check_sealed(value)


def _check_sealed(options: dict[str, Any]) -> None:
    named = [name for name in options if is_sealed(name)]
    if named:
        raise ValidationError(f"The site sets {', '.join(sorted(named))} by itself: no option may change it.")
    if is_sealed(str(options.get("max_tokens_field", ""))):
        raise ValidationError("max_tokens_field must name the field of the token limit.")


def _inside(part: Any) -> Iterable[Any]:
    """What an object or a list holds, keys too."""
    if isinstance(part, dict):
        return [inner for pair in part.items() for inner in pair]
    return part if isinstance(part, list) else ()


def _check_plain(part: Any) -> None:
    if isinstance(part, float) and not math.isfinite(part):
        raise ValidationError("NaN and Infinity are no JSON numbers.")
    if isinstance(part, str) and any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in part):
        raise ValidationError("This holds characters that cannot be stored.")


class OptionsFormField(forms.JSONField):
    """Like Django's, with an answer for JSON so deep that Python's own reader gives up, and for what no page can show."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except RecursionError:
            raise ValidationError("This is nested too deeply.") from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        try:
            return super().bound_data(data, initial)
        except RecursionError:
            return InvalidJSONInput(data)

    def prepare_value(self, value: Any) -> Any:
        """What was refused is shown again as it was typed: half a character, which no page can hold, by its number."""
        shown = super().prepare_value(value)
        return InvalidJSONInput(shown.encode("utf-8", "backslashreplace").decode()) if isinstance(shown, str) else shown


class OptionsField(models.JSONField):
    """Switches of a provider or a model, as a JSON object."""

    default_validators = [validate_options]

    def formfield(self, **kwargs: Any) -> forms.Field | None:
        return super().formfield(**{"form_class": OptionsFormField, **kwargs})
