"""What a question would cost."""

from rest_framework import serializers
from rest_framework.serializers import Serializer

from councils.api.fields import StrictSerializer, TextField
from councils.api.usage import USD, BudgetSerializer
from councils.models.base import PUBLIC_ID_LENGTH
from councils.services.quoting import Quote, Share


class EstimateRequest(StrictSerializer):
    """A question that is not asked yet."""

    question = TextField(allow_blank=True)
    member = TextField(required=False, max_length=32, help_text="Agent id of a seat that would answer alone. Left out: the council.")
    conversation = TextField(required=False, max_length=PUBLIC_ID_LENGTH, help_text="Id: what was said there is read too.")


class AssumptionsSerializer(Serializer[Quote]):
    """What an estimate goes by. Calls that must be repeated are in none."""

    question_chars = serializers.SerializerMethodField()
    history_chars = serializers.IntegerField(source="matter.history_chars", help_text="Of the conversation; cut to what models can read.")
    seats = serializers.IntegerField(help_text="Seats that answer.")
    seats_with_past = serializers.IntegerField(help_text="Seats whose last answers say how much they write; others write what is usual.")

    def get_question_chars(self, quote: Quote) -> int:
        return len(quote.matter.question)


class ShareSerializer(Serializer[Share]):
    """What one budget would have to hold before the question is asked."""

    budget = BudgetSerializer(source="standing")
    needed_usd = serializers.DecimalField(**USD, source="needed", allow_null=True, help_text="null: not known.")
    fits = serializers.BooleanField()


class EstimateSerializer(Serializer[Quote]):
    """USD. null is unknown, and ``reason`` says why; it is never 0 by accident."""

    low_usd = serializers.DecimalField(**USD, source="estimate.low", allow_null=True, help_text="If the answers are short.")
    expected_usd = serializers.DecimalField(**USD, source="estimate.expected", allow_null=True)
    high_usd = serializers.DecimalField(
        **USD, source="estimate.high", allow_null=True, help_text="If every answer is as long as it may be."
    )
    reason = serializers.CharField(help_text="Why the cost is unknown; empty where it is known.")
    assumes = AssumptionsSerializer(source="*")
    budgets = ShareSerializer(many=True, source="shares", help_text="Those that would pay, the one with the least left first.")
    fits = serializers.BooleanField(help_text="Whether the question could start now.")
