"""A field for JSON that people write: small, plain, and fit for every database and every page."""

import math
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

MAX_DEPTH = 6
MAX_VALUES = 200


def validate_options(value: Any) -> None:
    """Only an object of plain JSON: no NaN, no characters that cannot be stored, not deep, not large."""
    if not isinstance(value, dict):
        raise ValidationError('Write a JSON object, for instance {"max_tokens_field": "max_completion_tokens"}.')
    count = 0
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        part, depth = waiting.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_VALUES:
            raise ValidationError(f"This is too large: at most {MAX_VALUES} values, {MAX_DEPTH} levels deep.")
        if isinstance(part, dict):
            waiting += [(inner, depth + 1) for pair in part.items() for inner in pair]
        elif isinstance(part, list):
            waiting += [(inner, depth + 1) for inner in part]
        elif isinstance(part, float) and not math.isfinite(part):
            raise ValidationError("NaN and Infinity are no JSON numbers.")
        elif isinstance(part, str) and any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in part):
            raise ValidationError("This holds characters that cannot be stored.")


class OptionsFormField(forms.JSONField):
    """Like Django's, with an answer for JSON so deep that Python's own reader gives up."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except RecursionError:
            raise ValidationError(f"This is too deep: at most {MAX_DEPTH} levels.") from None


class OptionsField(models.JSONField):
    """Switches of a provider or a model, as a JSON object."""

    default_validators = [validate_options]

    def formfield(self, **kwargs: Any) -> forms.Field | None:
        return super().formfield(**{"form_class": OptionsFormField, **kwargs})
