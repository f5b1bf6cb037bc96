"""Providers and their models."""

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.safestring import SafeString

from councils.admin.base import PasswordWidget, ProductAdmin, action, display, register
from councils.admin.show import duration, link_to, link_to_list, price
from councils.models import ModelInfo, Provider
from councils.services.configuration import secret_names
from councils.services.connecting import Connection, check_connections, private_address_problem
from councils.services.pricing import list_price

# Who may change these decides where this server connects to, and which of the operator's keys it sends there.
SUPERUSER_FIELDS = ("allow_private_address", "api_key_env")


class OptionsForm(ModelForm[Any]):
    """Options are shown and exported, so no secret may hide in them."""

    def clean_options(self) -> Any:
        options = self.cleaned_data["options"]
        if not isinstance(options, dict):
            raise ValidationError('Give an object, for instance {"top_p": 0.9}.')
        if any(secret_names(options)):
            raise ValidationError("Secrets do not belong in the options: the provider's key has a field of its own.")
        return options


class ProviderForm(OptionsForm):
    """The key is written, never read back: the form shows whether there is one."""

    api_key = forms.CharField(
        label="API key",
        required=False,
        max_length=1000,
        widget=PasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False),
        help_text="Stored encrypted and never shown again. Leave empty to keep the stored key.",
    )
    forget_key = forms.BooleanField(label="Forget the stored key", required=False)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        if cleaned.get("forget_key") and cleaned.get("api_key"):
            self.add_error("forget_key", "Either enter a new key or forget the stored one.")
        if self._would_send_key_elsewhere(cleaned):
            self.add_error("api_key", "The address has changed. Enter the key again, so that it is not sent to another host by mistake.")
        if problem := self._private_address_problem(cleaned):
            self.add_error("base_url", problem)
        return cleaned

    def _private_address_problem(self, cleaned: dict[str, Any]) -> str:
        """Without this people would learn it from a failed run."""
        # The switch is not part of the form of those who may not set it.
        is_mine_to_set = "allow_private_address" in self.fields
        allowed = bool(cleaned.get("allow_private_address") if is_mine_to_set else self.instance.allow_private_address)
        address = cleaned.get("base_url", "")
        problem = private_address_problem(address, allowed=allowed) if address else ""
        if not problem or private_address_problem(address, allowed=True):
            return problem
        who = "Switch on" if is_mine_to_set else "A superuser can switch on"
        return f"{problem} {who} “Allow private address” if this host is meant to be contacted."

    def _would_send_key_elsewhere(self, cleaned: dict[str, Any]) -> bool:
        stored = Provider.objects.filter(pk=self.instance.pk).exclude(api_key_sealed="").first()
        if stored is None or "base_url" not in cleaned or cleaned.get("api_key") or cleaned.get("forget_key"):
            return False
        return _origin(stored.base_url) != _origin(cleaned["base_url"])

    def save(self, commit: bool = True) -> Any:
        provider: Provider = super().save(commit=False)
        if self.cleaned_data["api_key"] or self.cleaned_data["forget_key"]:
            provider.set_api_key(self.cleaned_data["api_key"])
        if commit:
            provider.save()
        return provider


def _origin(address: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port


def _in_words(connection: Connection) -> str:
    name, models = connection.provider.name, connection.models
    if connection.problem:
        return f"{name}: {connection.problem}"
    return f"{name} answered in {duration(connection.latency_ms)} and serves {models} model{'' if models == 1 else 's'}."


@register(Provider)
class ProviderAdmin(ProductAdmin[Provider]):
    form = ProviderForm
    list_display = ("name", "kind", "base_url", "key", "models", "is_active")
    list_filter = ("kind", "is_active")
    search_fields = ("name", "slug", "base_url")
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ("key",)
    actions = ("test_connection", "activate", "deactivate")
    fieldsets = (
        (None, {"fields": (("name", "slug"), ("kind", "is_active"), "base_url", "allow_private_address")}),
        ("Key", {"fields": ("key", "api_key", "forget_key", "api_key_env")}),
        ("Traffic", {"fields": ("max_parallel_calls", "options")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        return super().get_queryset(request).annotate(model_count=Count("served_models"))

    def get_readonly_fields(self, request: HttpRequest, obj: Provider | None = None) -> tuple[str, ...]:
        fixed: tuple[str, ...] = tuple(str(name) for name in super().get_readonly_fields(request, obj))
        if request.user.is_superuser:
            return fixed
        # Moving a provider that may reach inside, or that has the operator's key, would move that right along.
        trusted = obj is not None and (obj.allow_private_address or obj.api_key_env)
        return (*fixed, *SUPERUSER_FIELDS, *(("base_url", "kind", "options") if trusted else ()))

    def get_prepopulated_fields(self, request: HttpRequest, obj: Provider | None = None) -> Any:
        # A slug that configuration files already name stays when the name changes.
        return {} if obj else super().get_prepopulated_fields(request, obj)

    @display(description="key", label={"stored": "success", "from the environment": "success", "not set in the environment": "danger"})
    def key(self, provider: Provider) -> str:
        if provider.api_key_sealed:
            return "stored"
        if provider.api_key_env:
            return "from the environment" if provider.has_api_key else "not set in the environment"
        return "none"

    @display(description="models", ordering="model_count")
    def models(self, provider: Provider) -> SafeString:
        count = getattr(provider, "model_count", 0)
        return link_to_list(ModelInfo, f"{count} model{'' if count == 1 else 's'}", provider__id__exact=provider.pk)

    @action(description="Test connection", permissions=["change"])
    def test_connection(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        """Ask each for its models now, with the key and the rules that a run would use."""
        for connection in check_connections(queryset):
            self.message_user(request, _in_words(connection), messages.ERROR if connection.problem else messages.SUCCESS)

    @action(description="Switch on", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        self.message_user(request, f"{queryset.update(is_active=True)} switched on.")

    @action(description="Switch off", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        self.message_user(request, f"{queryset.update(is_active=False)} switched off. Runs that have begun go on.")


@register(ModelInfo)
class ModelInfoAdmin(ProductAdmin[ModelInfo]):
    form = OptionsForm
    list_display = ("display_name", "provider_link", "name", "input_price", "output_price", "structured_mode", "is_active")
    list_filter = ("provider", "structured_mode", "is_active")
    list_select_related = ("provider",)
    search_fields = ("name", "label", "provider__name")
    actions = ("activate", "deactivate")
    fieldsets = (
        (None, {"fields": ("provider", ("name", "label"), "is_active")}),
        (
            "Prices",
            {"fields": (("cost_per_1k_input_tokens", "cost_per_1k_output_tokens"),), "description": "Empty: unknown. Free models say 0."},
        ),
        ("Abilities", {"fields": (("context_window", "max_output_tokens"), "structured_mode", "options")}),
    )

    @display(description="model", ordering="name")
    def display_name(self, model: ModelInfo) -> str:
        return model.display_name

    @display(description="provider", ordering="provider__name")
    def provider_link(self, model: ModelInfo) -> SafeString | str:
        return link_to(model.provider)

    @display(description="price of 1,000 tokens in", ordering="cost_per_1k_input_tokens")
    def input_price(self, model: ModelInfo) -> str:
        return price(model.cost_per_1k_input_tokens)

    @display(description="price of 1,000 tokens out", ordering="cost_per_1k_output_tokens")
    def output_price(self, model: ModelInfo) -> str:
        return price(model.cost_per_1k_output_tokens)

    def save_model(self, request: HttpRequest, obj: ModelInfo, form: Any, change: bool) -> None:
        if not change:
            self._fill_in_list_price(request, obj)
        super().save_model(request, obj, form, change)

    def _fill_in_list_price(self, request: HttpRequest, model: ModelInfo) -> None:
        if model.cost_per_1k_input_tokens is not None or model.cost_per_1k_output_tokens is not None:
            return
        known = list_price(base_url=model.provider.base_url, model=model.name)
        if known is None:
            self.message_user(request, "The price of this model is not known. Enter it, or 0 if it is free.", messages.WARNING)
            return
        model.cost_per_1k_input_tokens, model.cost_per_1k_output_tokens = known.input_price, known.output_price
        model.context_window = model.context_window or known.context_window
        self.message_user(request, "The prices were filled in from a public list. Check them.")

    @action(description="Switch on", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[ModelInfo]) -> None:
        self.message_user(request, f"{queryset.update(is_active=True)} switched on.")

    @action(description="Switch off", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[ModelInfo]) -> None:
        self.message_user(request, f"{queryset.update(is_active=False)} switched off. Seats with a fallback use it.")
