"""How models did, hour by hour, and the way to the reports of usage."""

from django.db.models import DecimalField, ExpressionWrapper, F, QuerySet, Value
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from analytics.admin.usage import usage_page
from analytics.models import ModelAnalytics
from councils.admin.base import action, display, register
from councils.admin.csv_export import Column, csv_response
from councils.admin.filters import CallModelFilter, DayFilter
from councils.admin.large import LargeList, column
from councils.admin.show import NOTHING, duration, link_to
from councils.formatting import figure, number, percent, usd
from councils.models.budget import UNIT_USD


class HourFilter(DayFilter):
    """By the day that an hour is of."""

    column = "hour"


@register(ModelAnalytics)
class ModelAnalyticsAdmin(LargeList[ModelAnalytics]):
    list_display = (
        *("shown_hour", "name", "asked", "success", "half_within", "most_within"),
        *("tokens", "cost", "place"),
    )
    list_filter = (HourFilter, CallModelFilter)
    linked = ("model_name__exact", "provider_name__exact", "hour__gte", "hour__lt")
    list_before_template = "analytics/_usage_link.html"
    found_by = (column("model_name"), column("provider_name"))
    search_help_text = "The name of a model or of a provider, as calls have it."
    fields = (
        *("shown_hour", "model_link", "model_name", "provider_name", "asked", "errors", "cancelled", "shown_errors", "cache_hits"),
        *("success", "average", "half_within", "most_within", "nearly_all_within", "tokens", "cost", "place", "ranked_first"),
    )
    readonly_fields = fields
    csv_columns = (
        Column("hour (UTC)", "hour"),
        Column("model", "model_name"),
        Column("provider", "provider_name"),
        Column("requests", "requests"),
        Column("errors", "errors"),
        Column("cancelled", "cancelled"),
        Column("from the cache", "cache_hits"),
        Column("tokens read", "prompt_tokens"),
        Column("tokens written", "completion_tokens"),
        Column("known cost (USD)", "paid_usd"),
        Column("calls of unknown cost", "unknown_costs"),
        Column("average time (ms)", "average_latency_ms"),
        Column("half within (ms)", "p50_latency_ms"),
        Column("95 % within (ms)", "p95_latency_ms"),
        Column("99 % within (ms)", "p99_latency_ms"),
        Column("answers placed by reviewers", "rank_count"),
        Column("sum of places", "rank_sum"),
        Column("placed first", "ranked_first"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelAnalytics]:
        return super().get_queryset(request).defer("latencies")

    def get_urls(self) -> list[URLPattern]:
        usage = path("usage/", self.admin_site.admin_view(self.usage), name="analytics_modelanalytics_usage")
        return [usage, *super().get_urls()]

    def usage(self, request: HttpRequest) -> HttpResponseBase:
        return usage_page(self, request)

    @action(description="Download as CSV", permissions=["view"])
    def as_csv(self, request: HttpRequest, queryset: QuerySet[ModelAnalytics]) -> HttpResponseBase:
        """The chosen rows."""
        paid = ExpressionWrapper(F("cost_units") * Value(UNIT_USD), DecimalField(max_digits=24, decimal_places=8))
        return csv_response(request, queryset.annotate(paid_usd=paid), self.csv_columns, name="models by hour")

    @display(description="hour (UTC)", ordering="hour")
    def shown_hour(self, row: ModelAnalytics) -> str:
        return f"{row.hour:%Y-%m-%d %H:00}"

    @display(description="model", ordering="model_name")
    def name(self, row: ModelAnalytics) -> str:
        return f"{row.model_name} · {row.provider_name}"

    @display(description="set up as")
    def model_link(self, row: ModelAnalytics) -> SafeString | str:
        return link_to(row.model)

    @display(description="requests", ordering="requests")
    def asked(self, row: ModelAnalytics) -> str:
        return number(row.requests)

    @display(description="success")
    def success(self, row: ModelAnalytics) -> str:
        return NOTHING if row.success_rate is None else percent(row.success_rate)

    @display(description="errors by kind")
    def shown_errors(self, row: ModelAnalytics) -> str:
        return ", ".join(f"{kind.replace('_', ' ')}: {count}" for kind, count in row.errors_by_kind.items()) or NOTHING

    @display(description="average time", ordering="average_latency_ms")
    def average(self, row: ModelAnalytics) -> str:
        return duration(row.average_latency_ms)

    @display(description="half within", ordering="p50_latency_ms")
    def half_within(self, row: ModelAnalytics) -> str:
        return duration(row.p50_latency_ms)

    @display(description="95 % within", ordering="p95_latency_ms")
    def most_within(self, row: ModelAnalytics) -> str:
        return duration(row.p95_latency_ms)

    @display(description="99 % within", ordering="p99_latency_ms")
    def nearly_all_within(self, row: ModelAnalytics) -> str:
        return duration(row.p99_latency_ms)

    @display(description="tokens")
    def tokens(self, row: ModelAnalytics) -> str:
        return number(row.total_tokens)

    @display(description="known cost", ordering="cost_units")
    def cost(self, row: ModelAnalytics) -> str:
        return usd(row.cost_usd)

    @display(description="average place")
    def place(self, row: ModelAnalytics) -> str:
        return NOTHING if row.average_rank is None else figure(row.average_rank)
