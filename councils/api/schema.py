"""What the OpenAPI schema says of every operation without each view saying it."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from councils.api.base import StrictListMixin

# Where a view's own words are those of several operations.
SUMMARIES: Mapping[tuple[str, str], str] = {
    ("RunViewSet", "list"): "Your runs, newest first",
    ("RunViewSet", "retrieve"): "The whole record of a run",
    ("CouncilViewSet", "list"): "The councils that you can ask",
    ("CouncilViewSet", "retrieve"): "A council",
    ("ModelViewSet", "list"): "The models that can be asked",
    ("ModelViewSet", "retrieve"): "A model",
    ("ConversationViewSet", "list"): "Your conversations",
    ("ConversationViewSet", "retrieve"): "A conversation with its newest messages and runs",
    ("ConversationViewSet", "messages"): "All messages of a conversation",
    ("ConversationViewSet", "partial_update"): "Rename a conversation, put it away or take it back",
    ("ConversationViewSet", "destroy"): "Delete a conversation",
}
FIRST_WORDS = re.compile(r"[.;:]\s|\.$")


class ErrorSerializer(serializers.Serializer[Any]):
    """Every error has this shape."""

    code = serializers.CharField(help_text="For programs; does not change.")
    message = serializers.CharField(help_text="One or two sentences for people.")
    detail = serializers.DictField(help_text="What is wrong by field, where fields are wrong; otherwise empty.")
    request_id = serializers.CharField(help_text="What our log calls this request; also in the header X-Request-ID.")


class EnvelopeSchema(AutoSchema):
    """Adds to every operation a summary and the error envelope, and to every list its query."""

    def get_summary(self) -> str:
        """One line: what the operation does, as its documentation begins."""
        known = SUMMARIES.get((type(self.view).__name__, getattr(self.view, "action", "") or ""))
        return known or FIRST_WORDS.split(self.get_description(), maxsplit=1)[0].replace("``", "").strip()

    def get_tags(self) -> list[str]:
        """The group: what comes first in the address after the API's own prefix."""
        return [next(part for part in self._tokenize_path() if part != "api")]

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
