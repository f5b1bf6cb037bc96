"""Models and what they cost."""

from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from councils.admin import switching
from councils.admin.base import ProductAdmin, ReadOnlyInline, action, display, register, signed_in
from councils.admin.health import HEALTH_LABELS, HealthFilter, badge, in_words, prefetch_health
from councils.admin.options import OptionsForm
from councils.admin.show import link_to
from councils.formatting import exact_usd
from councils.models import ModelInfo, ModelPrice, PriceSource
from councils.services.pricing import MAY_SET, mark_free, record_price, suggest_price
from councils.services.switching import councils_hit


class MissingPrice(SimpleListFilter):
    """Models that no council can use until somebody says what they cost."""

    title = "price"
    parameter_name = "price"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("missing", "not known"), ("known", "known")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ModelInfo]) -> QuerySet[ModelInfo]:
        missing = Q(cost_per_1k_input_tokens=None) | Q(cost_per_1k_output_tokens=None)
        match self.value():
            case "missing":
                return queryset.filter(missing)
            case "known":
                return queryset.exclude(missing)
        return queryset


class PriceInline(ReadOnlyInline[ModelPrice, ModelInfo]):
    """What the model has cost. A price is changed above, and the change is kept here."""

    model = ModelPrice
    fields = ("valid_from", "shown_input", "shown_output", "source", "by")
    readonly_fields = fields
    verbose_name_plural = "prices so far (USD per 1,000 tokens)"
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelPrice]:
        return super().get_queryset(request).select_related("by")

    @display(description="in")
    def shown_input(self, row: ModelPrice) -> str:
        return exact_usd(row.input_price)

    @display(description="out")
    def shown_output(self, row: ModelPrice) -> str:
        return exact_usd(row.output_price)


PRICES = ("cost_per_1k_input_tokens", "cost_per_1k_output_tokens")


@register(ModelInfo)
class ModelInfoAdmin(ProductAdmin[ModelInfo]):
    form = OptionsForm
    list_display = ("display_name", "provider_link", "name", "input_price", "output_price", "structured_mode", "health", "is_active")
    list_filter = (MissingPrice, HealthFilter, "provider", "structured_mode", "is_active")
    list_select_related = ("provider",)
    search_fields = ("name", "label", "provider__name")
    readonly_fields = ("known_health",)
    change_form_after_template = "analytics/_model_insights.html"
    inlines = (PriceInline,)
    actions = ("mark_as_free", "activate", "deactivate")
    fieldsets = (
        (None, {"fields": ("provider", ("name", "label"), "is_active")}),
        (
            "Prices",
            {"fields": (("cost_per_1k_input_tokens", "cost_per_1k_output_tokens"),), "description": "Empty: unknown. Free models say 0."},
        ),
        ("Abilities", {"fields": (("context_window", "max_output_tokens"), "structured_mode", "options")}),
        ("Health", {"fields": ("known_health",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelInfo]:
        return super().get_queryset(request).prefetch_related(prefetch_health())

    def get_readonly_fields(self, request: HttpRequest, obj: ModelInfo | None = None) -> tuple[str, ...]:
        fixed = tuple(str(name) for name in super().get_readonly_fields(request, obj))
        if request.user.has_perm(MAY_SET):
            return fixed
        # The price belongs to what the provider sells under this name: moved to another, a dear model would cost what a cheap one did.
        return (*fixed, *PRICES, *(("provider", "name") if obj and obj.has_prices else ()))

    @display(description="health", label=HEALTH_LABELS)
    def health(self, model: ModelInfo) -> tuple[str, str]:
        return badge(model)

    @display(description="now")
    def known_health(self, model: ModelInfo) -> SafeString | str:
        return in_words(model)

    @display(description="model", ordering="name")
    def display_name(self, model: ModelInfo) -> str:
        return model.display_name

    @display(description="provider", ordering="provider__name")
    def provider_link(self, model: ModelInfo) -> SafeString | str:
        return link_to(model.provider)

    @display(description="price of 1,000 tokens in", ordering="cost_per_1k_input_tokens")
    def input_price(self, model: ModelInfo) -> str:
        return exact_usd(model.cost_per_1k_input_tokens)

    @display(description="price of 1,000 tokens out", ordering="cost_per_1k_output_tokens")
    def output_price(self, model: ModelInfo) -> str:
        return exact_usd(model.cost_per_1k_output_tokens)

    def save_model(self, request: HttpRequest, obj: ModelInfo, form: Any, change: bool) -> None:
        source = None if change else suggest_price(obj)
        super().save_model(request, obj, form, change)
        record_price(obj, source=source, by=signed_in(request))
        if source is PriceSource.FREE:
            self.message_user(request, "It runs on Ollama, so it was marked as free. Enter a price if it has one.")
        elif source is PriceSource.LIST:
            self.message_user(request, "The prices were filled in from a public list. Check them.")
        if change and "is_active" in form.changed_data and not obj.is_active:
            switching.warn_of(request, councils_hit([obj.pk]))
        if not obj.has_prices:
            todo = "Enter it, or 0 if the model is free." if request.user.has_perm(MAY_SET) else "Ask somebody who may set prices."
            self.message_user(request, f"The price of this model is not known, so councils cannot use it. {todo}", messages.WARNING)

    def has_price_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request) and request.user.has_perm(MAY_SET)

    @action(description="Mark as free", permissions=["price"])
    def mark_as_free(self, request: HttpRequest, queryset: QuerySet[ModelInfo]) -> None:
        self.message_user(request, f"{mark_free(queryset, by=signed_in(request))} marked as free. Their calls cost 0 from the next run on.")

    @action(description="Switch on", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[ModelInfo]) -> None:
        self.message_user(request, f"{queryset.update(is_active=True)} switched on.")

    @action(description="Switch off…", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[ModelInfo]) -> HttpResponse:
        """Say first which councils use them."""
        return redirect(switching.address(self, queryset.values_list("pk", flat=True)))

    def get_urls(self) -> list[URLPattern]:
        off = path("switch-off/", self.admin_site.admin_view(partial(switching.switch_off, self)), name="councils_modelinfo_switch_off")
        return [off, *super().get_urls()]
