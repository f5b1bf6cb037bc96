"""Money: calls and bookings to look at, budgets to set."""

from typing import Any

from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.safestring import SafeString

from councils.admin.base import ProductAdmin, ReadOnlyAdmin, ReadOnlyInline, display, register
from councils.admin.show import STATUS_LABELS, duration, link_to, price, usd, yes_or_no
from councils.models import Budget, LedgerEntry, ModelCall


def with_holders(entries: QuerySet[LedgerEntry]) -> QuerySet[LedgerEntry]:
    """Entries with whose they are, without the long columns on the way there."""
    long = ("call__run__config_snapshot", "call__run__sealed_keys", "call__run__answer")
    return entries.select_related("call__run__owner").defer(*long)


class EntryInline(ReadOnlyInline[LedgerEntry, ModelCall]):
    model = LedgerEntry
    fields = ("holder", "kind", "amount", "created_at")
    readonly_fields = fields
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerEntry]:
        return with_holders(super().get_queryset(request))

    @display(description="account")
    def holder(self, entry: LedgerEntry) -> str:
        return entry.holder

    @display(description="amount")
    def amount(self, entry: LedgerEntry) -> str:
        return usd(entry.amount_usd)


@register(ModelCall)
class ModelCallAdmin(ReadOnlyAdmin[ModelCall]):
    list_display = (
        "created_at",
        "status_label",
        "step_link",
        "attempt",
        "model_name",
        "provider_name",
        "tokens",
        "cost",
        "took",
        "error_kind",
    )
    list_filter = ("status", "model__provider", "substituted", "usage_source", "created_at")
    list_select_related = ("step",)
    search_fields = ("=public_id", "=run__public_id", "=model_name", "=error_kind")
    ordering = ("-pk",)
    inlines = (EntryInline,)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("public_id", "status_label", "attempt"),
                    ("run_link", "step_link"),
                    ("model_name", "provider_name", "reported_model"),
                )
            },
        ),
        ("Answer", {"fields": (("finish_reason", "structured_mode", "fallback"), ("error_kind", "error_detail"))}),
        ("Usage", {"fields": (("prompt_tokens", "completion_tokens", "usage_source"), ("cost", "input_rate", "output_rate"))}),
        ("Time", {"fields": (("took", "first_text"), ("created_at", "finished_at"), "epoch")}),
    )
    readonly_fields = (
        "public_id", "status_label", "fallback", "run_link", "step_link",
        "cost", "input_rate", "output_rate", "took", "first_text", "created_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelCall]:
        return super().get_queryset(request).defer("step__text", "step__payload")

    @display(description="status", ordering="status", label=STATUS_LABELS)
    def status_label(self, call: ModelCall) -> str:
        return call.status

    @display(description="substituted")
    def fallback(self, call: ModelCall) -> str:
        return yes_or_no(call.substituted)

    @display(description="step")
    def step_link(self, call: ModelCall) -> SafeString | str:
        return link_to(call.step)

    @display(description="run")
    def run_link(self, call: ModelCall) -> SafeString | str:
        return link_to(call.run)

    @display(description="tokens")
    def tokens(self, call: ModelCall) -> str:
        if call.total_tokens is None:
            return "unknown"
        return f"{call.total_tokens:,}" + (" (estimated)" if call.usage_source == "estimated" else "")

    @display(description="cost", ordering="cost_usd")
    def cost(self, call: ModelCall) -> str:
        return usd(call.cost_usd)

    @display(description="price of 1,000 tokens in")
    def input_rate(self, call: ModelCall) -> str:
        return price(call.input_price)

    @display(description="price of 1,000 tokens out")
    def output_rate(self, call: ModelCall) -> str:
        return price(call.output_price)

    @display(description="time", ordering="latency_ms")
    def took(self, call: ModelCall) -> str:
        return duration(call.latency_ms)

    @display(description="first text after")
    def first_text(self, call: ModelCall) -> str:
        return duration(call.first_token_ms)


@register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin[LedgerEntry]):
    list_display = ("created_at", "holder", "kind", "amount", "call_link")
    list_filter = ("kind", "created_at")
    ordering = ("-pk",)
    search_fields = ("=account", "=call__public_id")
    fields = ("created_at", "holder", "kind", "amount", "call_link")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerEntry]:
        return with_holders(super().get_queryset(request))

    @display(description="account", ordering="account")
    def holder(self, entry: LedgerEntry) -> str:
        return entry.holder

    @display(description="amount", ordering="amount_usd")
    def amount(self, entry: LedgerEntry) -> str:
        return usd(entry.amount_usd)

    @display(description="call")
    def call_link(self, entry: LedgerEntry) -> SafeString | str:
        return link_to(entry.call)


class BudgetForm(ModelForm[Budget]):
    """Says in words what the database's constraints demand."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        user, council, period = cleaned.get("user"), cleaned.get("council"), cleaned.get("period")
        if user and council:
            self.add_error("council", "Choose a user or a council, not both. Choose neither for a limit on everybody.")
        elif Budget.objects.filter(user=user, council=council, period=period).exclude(pk=self.instance.pk).exists():
            self.add_error("period", "There is a budget for this already. Change that one.")
        return cleaned


@register(Budget)
class BudgetAdmin(ProductAdmin[Budget]):
    form = BudgetForm
    list_display = ("scope", "period", "limit", "at_limit", "is_active")
    list_filter = ("period", "at_limit", "is_active")
    list_select_related = ("user", "council")
    search_fields = ("user__username", "council__name")
    autocomplete_fields = ("user", "council")
    fieldsets = (
        (
            None,
            {
                "fields": (("user", "council"), ("limit_usd", "period"), "at_limit", "is_active"),
                "description": "Budgets are recorded and not enforced yet: no call is refused because of one.",
            },
        ),
    )

    @display(description="for")
    def scope(self, budget: Budget) -> str:
        return str(budget.user or budget.council or "everybody")

    @display(description="limit", ordering="limit_usd")
    def limit(self, budget: Budget) -> str:
        return usd(budget.limit_usd)
