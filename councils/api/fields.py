"""Serializers that take exactly what they say and nothing else."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

NAMED_AT_MOST = 20
NAME_LENGTH = 80


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know, by name: a typing error must not pass for a default."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [str(name)[:NAME_LENGTH] for name in data if name not in self.fields]
            if unknown:
                raise serializers.ValidationError({name: ["There is no such field."] for name in unknown[:NAMED_AT_MOST]})
        return super().to_internal_value(data)


class TextField(serializers.CharField):
    """Text and nothing that could pass for it. Blanks are kept: what they mean is for the use case to say."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class FlagField(serializers.BooleanField):
    """True or false; "yes", 1 and their kind are refused."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data
