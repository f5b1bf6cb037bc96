"""What addresses and forms name as the key of a row: anybody may write anything there."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from django.db.models import Model


def is_key(model: type[Model], text: str) -> bool:
    """Whether a row of this model can have this key: databases refuse to look for some others."""
    try:
        model._meta.pk.clean(text, None)
    except ValidationError:
        return False
    return "\x00" not in text


class RowField(AutocompleteSelect):
    """A field that finds a row while one types. What is no key chooses nothing."""

    def optgroups(self, name: str, value: Sequence[str], attr: Any = None) -> Any:
        model = self.field.remote_field.model
        return super().optgroups(name, [text for text in value if text and is_key(model, text)], attr)
