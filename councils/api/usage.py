"""What one has used and what is left."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from councils.api.base import user_of
from councils.models import ApiKey, AtLimit, BudgetPeriod
from councils.services.budgeting import Standing, standings_for
from councils.services.spending import spending_of

# Wider than any column: budgets and sums over many runs go beyond what one run may cost.
USD: dict[str, Any] = {"max_digits": 28, "decimal_places": 8}


class SpentSerializer(Serializer[Any]):
    """A sum over runs."""

    questions = serializers.IntegerField()
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    cost_usd = serializers.DecimalField(**USD, allow_null=True, help_text="null while the cost of any call is unknown.")
    known_cost_usd = serializers.DecimalField(**USD)
    unknown_costs = serializers.IntegerField(help_text="Calls whose cost is not known.")


class CouncilSpentSerializer(SpentSerializer):
    """What one council's questions cost."""

    council = serializers.CharField()


class SpendingSerializer(Serializer[Any]):
    """What was spent since a moment."""

    since = serializers.DateTimeField()
    total = SpentSerializer()
    by_council = CouncilSpentSerializer(many=True)


class BudgetSerializer(Serializer[Standing]):
    """A budget that holds for you, in its present period."""

    scope = serializers.ChoiceField(source="budget.scope_kind", choices=["everybody", "user", "api_key", "council"])
    period = serializers.ChoiceField(source="budget.period", choices=BudgetPeriod.values)
    at_limit = serializers.ChoiceField(source="budget.at_limit", choices=AtLimit.values)
    limit_usd = serializers.DecimalField(source="limit", max_digits=14, decimal_places=4)
    left_usd = serializers.DecimalField(**USD, source="left")
    held_usd = serializers.DecimalField(**USD, source="account.reserved_usd", help_text="For runs under way and calls of unknown cost.")
    renews_at = serializers.DateTimeField()


class UsageSerializer(Serializer[Any]):
    """Days and months are those of UTC; a run counts where it was asked."""

    today = SpendingSerializer()
    month = SpendingSerializer()
    budgets = serializers.SerializerMethodField(help_text="Those for everybody, for you, and for the key of this request.")

    @extend_schema_field(BudgetSerializer(many=True))
    def get_budgets(self, usage: dict[str, Any]) -> Any:
        return BudgetSerializer(usage["budgets"], many=True).data


class UsageView(APIView):
    """One's own usage."""

    @extend_schema(responses=UsageSerializer)
    def get(self, request: Request) -> Response:
        """What your questions have cost today and this month, by council, and what budgets leave."""
        user = user_of(request)
        today, month = spending_of(user)
        key = request.auth if isinstance(request.auth, ApiKey) else None
        usage = {"today": today, "month": month, "budgets": standings_for(by=user, api_key=key)}
        return Response(UsageSerializer(usage).data)
