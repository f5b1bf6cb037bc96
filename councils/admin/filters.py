"""Filters that answer what staff ask of runs and calls. Each finds its rows by an index."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Exists, OuterRef, QuerySet, TextField
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.utils import timezone

from councils.engine.types import Mark, StepStatus
from councils.models import ModelCall, ModelInfo, RunStep

DAY = timedelta(days=1)


class DayFilter(SimpleListFilter):
    """By days, UTC: Django's own filter has no yesterday."""

    title = "day"
    parameter_name = "day"
    column = "created_at"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("today", "Today"), ("yesterday", "Yesterday"), ("7", "Past 7 days"), ("30", "Past 30 days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        midnight = datetime.combine(timezone.now().astimezone(UTC).date(), time.min, UTC)
        match self.value():
            case "today":
                return queryset.filter(**{f"{self.column}__gte": midnight})
            case "yesterday":
                return queryset.filter(**{f"{self.column}__gte": midnight - DAY, f"{self.column}__lt": midnight})
            case "7" | "30" as days:
                return queryset.filter(**{f"{self.column}__gte": midnight - (int(days) - 1) * DAY})
        return queryset


class RunCostFilter(SimpleListFilter):
    """Dear runs, and those that nobody knows the cost of."""

    title = "cost"
    parameter_name = "cost"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("0.1", "0.10 USD and above"), ("1", "1 USD and above"), ("10", "10 USD and above"), ("unknown", "Partly unknown")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "unknown":
                return queryset.filter(unknown_costs__gt=0)
            case "0.1" | "1" | "10" as amount:
                return queryset.filter(known_cost_usd__gte=Decimal(amount))
        return queryset


class BallotFilter(SimpleListFilter):
    """Runs in which a ballot could not be counted."""

    title = "ballots"
    parameter_name = "ballots"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("invalid", "Some invalid")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "invalid":
            return queryset
        return queryset.filter(pk__in=RunStep.objects.filter(status=StepStatus.INVALID.value).order_by().values("run"))


class MarkFilter(SimpleListFilter):
    """Runs of which there is something to be said beside how they ended."""

    title = "remark"
    parameter_name = "mark"
    shown: Mapping[str, str] = {
        Mark.CONTESTED.value: "Contested: the methods disagree",
        Mark.UNREVIEWED.value: "Not ranked",
        Mark.SUBSTITUTED.value: "A substitute spoke",
        Mark.BUDGET.value: "A budget ran out",
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(self.shown.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in self.shown:
            return queryset
        # As a text: SQLite cannot ask what a list in JSON holds.
        found: QuerySet[Any] = queryset.alias(marks_text=Cast("marks", TextField())).filter(marks_text__contains=f'"{self.value()}"')
        return found


class CallModelFilter(SimpleListFilter):
    """Calls of a model."""

    title = "model"
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(model.pk), str(model)) for model in ModelInfo.objects.select_related("provider")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        known = value is not None and value in {choice for choice, _ in self.lookup_choices}
        return self.of_model(queryset, int(value)) if known and value else queryset

    def of_model(self, queryset: QuerySet[Any], model_pk: int) -> QuerySet[Any]:
        return queryset.filter(model=model_pk)


class RunModelFilter(CallModelFilter):
    """Runs in which a model was asked."""

    def of_model(self, queryset: QuerySet[Any], model_pk: int) -> QuerySet[Any]:
        return queryset.filter(Exists(ModelCall.objects.filter(run=OuterRef("pk"), model=model_pk)))
