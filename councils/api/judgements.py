"""What a reader said of the answers, as records show it."""

from typing import Any

from rest_framework import serializers

from councils.models import PickOutcome, Thumb


class FeedbackSerializer(serializers.Serializer[Any]):
    """What was said of the answer."""

    verdict = serializers.ChoiceField(choices=Thumb.values)
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class PickSerializer(serializers.Serializer[Any]):
    """How the answers of a blind run were judged on its page, before the names were shown."""

    outcome = serializers.ChoiceField(choices=PickOutcome.values)
    candidate = serializers.CharField(help_text="The answer picked, named as on ballots; empty for other outcomes.")
    shown = serializers.ListField(child=serializers.CharField(), help_text="What could be picked, in the order shown.")
    created_at = serializers.DateTimeField()
