"""What the OpenAPI schema says of every operation without each view saying it."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from councils.api.base import StrictListMixin


class ErrorSerializer(serializers.Serializer[Any]):
    """Every error has this shape."""

    code = serializers.CharField(help_text="For programs; does not change.")
    message = serializers.CharField(help_text="One or two sentences for people.")
    detail = serializers.DictField(help_text="What is wrong by field, where fields are wrong; otherwise empty.")
    request_id = serializers.CharField(help_text="What our log calls this request; also in the header X-Request-ID.")


class EnvelopeSchema(AutoSchema):
    """Adds the error envelope to every operation, and to every list its query."""

    def get_override_parameters(self) -> list[Any]:
        if isinstance(self.view, StrictListMixin) and getattr(self.view, "action", "") == "list":
            return [self.view.query_serializer]
        return []

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        responses: dict[str, Any] = super()._get_response_bodies(direction)
        describe: Callable[..., dict[str, Any]] = self._get_response_for_code
        for codes, meaning in (("4XX", "The request cannot be met as it is."), ("5XX", "The service cannot answer now.")):
            responses[codes] = describe(ErrorSerializer, codes, direction=direction) | {"description": meaning}
        return responses
