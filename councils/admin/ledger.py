"""Money: calls and bookings to look at."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from councils.admin.base import ReadOnlyInline, action, display, register
from councils.admin.budget import LEDGER_OF
from councils.admin.csv_export import Column
from councils.admin.filters import CallModelFilter, DayFilter
from councils.admin.large import LargeList, column, through
from councils.admin.show import NOTHING, STATUS_LABELS, duration, link_to, yes_or_no
from councils.formatting import exact_usd
from councils.models import CouncilRun, LedgerEntry, ModelCall, ModelInfo, User
from councils.models.ledger import ModelCallQuerySet
from councils.services.correcting import Settlement, settle_cost

MAY_SETTLE = "councils.settle_modelcall"
# A browser sends each of them back when it confirms, and Django reads so many fields of a form.
SETTLED_AT_ONCE = 500


def with_holders(entries: QuerySet[LedgerEntry]) -> QuerySet[LedgerEntry]:
    """Entries with whose they are, without the long columns on the way there."""
    long = ("call__run__config_snapshot", "call__run__sealed_keys", "call__run__answer")
    return entries.select_related("call__run__owner").defer(*long)


class CostFilter(SimpleListFilter):
    """Calls that somebody has to book."""

    title = "cost"
    parameter_name = "cost"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("unknown", "Nobody knows it any more")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ModelCall]) -> QuerySet[ModelCall]:
        if self.value() != "unknown":
            return queryset
        return queryset.filter(pk__in=ModelCall.objects.of_unknown_cost().values("pk"))


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
        return exact_usd(entry.amount_usd)


@register(ModelCall)
class ModelCallAdmin(LargeList[ModelCall]):
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
        "from_cache",
        "error_kind",
    )
    linked = (
        *("created_at__gte", "created_at__lt", "error_kind__exact", "error_kind__in", "status__in"),
        *("model_name__exact", "model_name__in", "provider_name__exact"),
    )
    list_filter = (CostFilter, DayFilter, "status", "model__provider", CallModelFilter, "cached", "substituted", "usage_source")
    actions = ("book_as_nothing", "book_as_estimated", "as_csv")
    csv_columns = (
        Column("call", "public_id"),
        Column("run", "run__public_id"),
        Column("begun at (UTC)", "created_at"),
        Column("ended at (UTC)", "finished_at"),
        Column("status", "status"),
        Column("step", "step__key"),
        Column("attempt", "attempt"),
        Column("model", "model_name"),
        Column("provider", "provider_name"),
        Column("from the cache", "cached"),
        Column("tokens read", "prompt_tokens"),
        Column("tokens written", "completion_tokens"),
        Column("usage", "usage_source"),
        Column("cost (USD)", "cost_usd"),
        Column("time (ms)", "latency_ms"),
        Column("error", "error_kind"),
    )
    list_select_related = ("step",)
    found_by = (
        column("public_id", lower=True),
        column("error_kind", lower=True),
        through("run", lambda word: CouncilRun.objects.filter(public_id=word.lower())),
        through("model", lambda word: ModelInfo.objects.filter(name__iexact=word)),
    )
    search_help_text = "The id of a call or of a run, the name of a model, or a kind of error."
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
                    ("endpoint", "shown_findings"),
                )
            },
        ),
        ("Answer", {"fields": (("finish_reason", "structured_mode", "fallback", "from_cache"), ("error_kind", "error_detail"))}),
        ("Usage", {"fields": (("prompt_tokens", "completion_tokens", "usage_source"), ("cost", "held", "input_rate", "output_rate"))}),
        ("Time", {"fields": (("took", "first_text"), ("created_at", "finished_at"), "epoch")}),
    )
    readonly_fields = (
        "public_id", "status_label", "fallback", "from_cache", "run_link", "step_link",
        "cost", "held", "input_rate", "output_rate", "took", "first_text", "created_at", "shown_findings",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelCall]:
        return super().get_queryset(request).defer("step__text", "step__payload")

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(MAY_SETTLE)

    @action(description="Book as nothing (cost unknown)", permissions=["settle"])
    def book_as_nothing(self, request: HttpRequest, queryset: QuerySet[ModelCall]) -> TemplateResponse | None:
        return self._settle(request, queryset, Settlement.NOTHING)

    @action(description="Book as estimated (cost unknown)", permissions=["settle"])
    def book_as_estimated(self, request: HttpRequest, queryset: QuerySet[ModelCall]) -> TemplateResponse | None:
        return self._settle(request, queryset, Settlement.ESTIMATED)

    def _settle(self, request: HttpRequest, queryset: QuerySet[ModelCall], settlement: Settlement) -> TemplateResponse | None:
        """Ask whether it is meant, then book what can be booked and say how many that were."""
        chosen = ModelCall.objects.filter(pk__in=queryset.order_by().values("pk")).order_by("pk")
        if "confirmed" not in request.POST:
            return self._ask_whether(request, chosen.of_unknown_cost(), settlement)
        calls = list(chosen[:SETTLED_AT_ONCE])
        booked = sum(self._book(request, call, settlement) for call in calls)
        if booked:
            messages.success(request, f"{booked} booked as {settlement.value}. What budgets held for them is free again.")
        if left := len(calls) - booked:
            messages.warning(request, f"{left} left as they are: their cost is known, their run goes on, or no budget held an estimate.")
        return None

    def _book(self, request: HttpRequest, call: ModelCall, settlement: Settlement) -> bool:
        # One call a transaction: each locks its own budgets before its run.
        with transaction.atomic():
            amount = settle_cost(call=call, settlement=settlement)
            if amount is not None:
                self.log_change(request, call, f"Its cost was unknown. Booked as {settlement.value}: {exact_usd(amount)}.")
        return amount is not None

    def _ask_whether(self, request: HttpRequest, calls: ModelCallQuerySet, settlement: Settlement) -> TemplateResponse | None:
        shown = list(calls[:SETTLED_AT_ONCE])
        if not shown:
            messages.warning(request, "The cost of none of them is unknown for good.")
            return None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Book calls as {settlement.value}",
            "lines": [(call, exact_usd(call.reserved_usd)) for call in shown],
            "is_estimated": settlement is Settlement.ESTIMATED,
            "action": request.POST["action"],
            "checkbox": ACTION_CHECKBOX_NAME,
            "most": SETTLED_AT_ONCE,
            "is_cut": calls.count() > SETTLED_AT_ONCE,
        }
        return TemplateResponse(request, "admin/councils/modelcall/settle.html", context)

    @display(description="status", ordering="status", label=STATUS_LABELS)
    def status_label(self, call: ModelCall) -> str:
        return call.status

    @display(description="substituted")
    def fallback(self, call: ModelCall) -> str:
        return yes_or_no(call.substituted)

    @display(description="found by the checks")
    def shown_findings(self, call: ModelCall) -> str:
        return ", ".join(kind.replace("_", " ") for kind in call.findings) or NOTHING

    @display(description="from the cache", ordering="cached")
    def from_cache(self, call: ModelCall) -> str:
        return yes_or_no(call.cached)

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
        return exact_usd(call.cost_usd)

    @display(description="reserved by budgets")
    def held(self, call: ModelCall) -> str:
        return exact_usd(call.reserved_usd)

    @display(description="price of 1,000 tokens in")
    def input_rate(self, call: ModelCall) -> str:
        return exact_usd(call.input_price)

    @display(description="price of 1,000 tokens out")
    def output_rate(self, call: ModelCall) -> str:
        return exact_usd(call.output_price)

    @display(description="time", ordering="latency_ms")
    def took(self, call: ModelCall) -> str:
        return duration(call.latency_ms)

    @display(description="first text after")
    def first_text(self, call: ModelCall) -> str:
        return duration(call.first_token_ms)


def _account_of(username: str) -> Q | None:
    user = User.objects.filter(username__iexact=username).first()
    return None if user is None else Q(account=f"user:{user.pk}")


@register(LedgerEntry)
class LedgerEntryAdmin(LargeList[LedgerEntry]):
    list_before_template = "analytics/_usage_link.html"
    list_display = ("created_at", "holder", "kind", "amount", "call_link")
    list_filter = ("kind", DayFilter)
    csv_columns = (
        Column("booked at (UTC)", "created_at"),
        Column("account", "account"),
        Column("user", "call__run__owner__username"),
        Column("kind", "kind"),
        Column("amount (USD)", "amount_usd"),
        Column("call", "call__public_id"),
        Column("run", "call__run__public_id"),
    )
    ordering = ("-pk",)
    found_by = (column("account"), _account_of, through("call", lambda word: ModelCall.objects.filter(public_id=word.lower())))
    search_help_text = "The id of a call, an account, or a user name."
    fields = ("created_at", "holder", "kind", "amount", "call_link")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerEntry]:
        return with_holders(super().get_queryset(request))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Budgets lead here, to what makes up their sum, and runs."""
        return lookup in {LEDGER_OF, "call__run__id__exact"} or super().lookup_allowed(lookup, value, request)

    @display(description="account", ordering="account")
    def holder(self, entry: LedgerEntry) -> str:
        return entry.holder

    @display(description="amount", ordering="amount_usd")
    def amount(self, entry: LedgerEntry) -> str:
        return exact_usd(entry.amount_usd)

    @display(description="call")
    def call_link(self, entry: LedgerEntry) -> SafeString | str:
        return link_to(entry.call)
