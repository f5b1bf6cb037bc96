"""Providers and their addresses."""

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import messages
from django.contrib.admin import EmptyFieldListFilter
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from councils.admin import switching
from councils.admin.apart import ApartFormSet
from councils.admin.base import PasswordWidget, ProductAdmin, RowInline, SwitchWidget, action, display, outside, register
from councils.admin.catalogue import MAY_ADD, abilities, add_from_list, council_address, usable_models
from councils.admin.council_form import MOST_SEATS
from councils.admin.health import HEALTH_LABELS, HealthFilter, badge, in_words, prefetch_health
from councils.admin.options import OptionsForm
from councils.admin.show import LINK, duration, link_to_list
from councils.health.checking import keep_answer
from councils.health.judging import Answered
from councils.models import ModelInfo, Provider, ProviderEndpoint
from councils.models.health import GOOD
from councils.services.connecting import Connection, check_connections, private_address_problem
from councils.services.switching import councils_hit

# Who may change these decides where this server connects to, and which of the operator's keys it sends there.
SUPERUSER_FIELDS = ("allow_private_address", "api_key_env")
# For those who may change a provider only. The first two take a key and must never give it back; options may hold a gateway's key under any
# name, and the name of a variable tells what this server's environment holds.
WRITERS_FIELDS = frozenset({"api_key", "forget_key", "api_key_env", "options"})


class ProviderForm(OptionsForm):
    """The key is written, never read back: the form shows whether there is one."""

    api_key = forms.CharField(
        label="API key",
        required=False,
        max_length=1000,
        widget=PasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False),
        help_text="Stored encrypted and never shown again.",
    )
    forget_key = forms.BooleanField(label="Forget the stored key", required=False, widget=SwitchWidget())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.api_key_sealed and "api_key" in self.fields:
            self.fields["api_key"].help_text = f"{self.fields['api_key'].help_text} Leave empty to keep the stored key."

    def say_key_is_gone(self) -> bool:
        """On a form that comes back: a typed key is never sent back with it. Returns whether there was one."""
        was_typed = self.is_bound and bool(self.data.get("api_key")) and "api_key" in self.fields
        if was_typed:
            self.add_error("api_key", "Type the key again: what is typed here is never sent back to the page.")
        return was_typed

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        if cleaned.get("forget_key") and cleaned.get("api_key"):
            self.add_error("forget_key", "Either enter a new key or forget the stored one.")
        if self._would_send_key_elsewhere(cleaned):
            self.add_error("api_key", "The address has changed. Enter the key again, so that it is not sent to another host by mistake.")
        if problem := _inside(cleaned.get("base_url", ""), self, self.instance.allow_private_address):
            self.add_error("base_url", problem)
        return cleaned

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


class EndpointFormSet(ApartFormSet):
    """Further addresses of a provider. They get its key, so that a new one is a decision like that for the provider's own."""

    apart, called = "base_url", "address"

    def clean(self) -> None:
        super().clean()
        key_is_new = bool(self.data.get("api_key") or self.data.get("forget_key"))
        stored = self.instance.endpoints.all() if self.instance.pk else ()
        known = {_origin(self.instance.base_url), *(_origin(endpoint.base_url) for endpoint in stored)}
        would_send_key = bool(self.instance.api_key_sealed) and not key_is_new
        for form, address in self._changed():
            if would_send_key and _origin(address) not in known:
                form.add_error("base_url", "This is another host. Enter the provider's key again, so that it is not sent there by mistake.")
            if problem := _inside(address, form, form.instance.allow_private_address):
                form.add_error("base_url", problem)
            if address == self.instance.base_url:
                form.add_error("base_url", "This is the provider's own address already.")

    def _changed(self) -> Iterator[tuple[ModelForm[Any], str]]:
        """The forms whose address is new or other than before, and stays."""
        for form in self.forms:
            address = form.cleaned_data.get("base_url", "")
            if address and form.has_changed() and not form.cleaned_data.get("DELETE"):
                yield form, address


class EndpointInline(RowInline[ProviderEndpoint, Provider]):
    model = ProviderEndpoint
    formset = EndpointFormSet
    fields = ("base_url", "allow_private_address", "max_parallel_calls", "is_active")
    classes = ("collapse",)
    verbose_name = "address"
    verbose_name_plural = "further addresses: the least busy one is called"

    def get_readonly_fields(self, request: HttpRequest, obj: Provider | None = None) -> tuple[str, ...]:
        return () if request.user.is_superuser else ("allow_private_address",)

    def has_add_permission(self, request: HttpRequest, obj: Provider | None = None) -> bool:
        return _may_direct(request, obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Provider | None = None) -> bool:
        return _may_direct(request, obj) and super().has_change_permission(request, obj)


def _may_direct(request: HttpRequest, provider: Provider | None) -> bool:
    """Whether this person may decide where a provider's calls go: not where they carry the operator's key, or reach inside."""
    if request.user.is_superuser or provider is None:
        return True
    reaches_inside = provider.allow_private_address or provider.endpoints.filter(allow_private_address=True).exists()
    return not (reaches_inside or provider.api_key_env)


def _inside(address: str, form: ModelForm[Any], stored: bool) -> str:
    """Why the server would not contact this address, with what to do; empty where it would. Told here, not first by a failed run."""
    # The switch is not part of the form of those who may not set it.
    is_mine_to_set = "allow_private_address" in form.fields
    allowed = bool(form.cleaned_data.get("allow_private_address") if is_mine_to_set else stored)
    problem = private_address_problem(address, allowed=allowed) if address else ""
    if not problem or private_address_problem(address, allowed=True):
        return problem
    who = "Switch on" if is_mine_to_set else "A superuser can switch on"
    return f"{problem} {who} “Allow private address” if this host is meant to be contacted."


def _origin(address: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port


def _in_words(connection: Connection) -> str:
    is_own_address = connection.base_url == connection.provider.base_url
    name = connection.provider.name if is_own_address else f"{connection.provider.name} at {connection.base_url}"
    models = connection.models
    if connection.problem:
        return f"{name}: {connection.problem}"
    said = f"{name} answered in {duration(connection.latency_ms)} and serves {models} model{'' if models == 1 else 's'}."
    return f"{said} {abilities(connection)}".strip()


def _answered(connection: Connection) -> Answered:
    """What a test has found, as the checks of health say it."""
    latency = None if connection.problem else connection.latency_ms
    return Answered(base_url=connection.base_url, latency_ms=latency, problem=connection.problem, key_refused=connection.key_refused)


def _without(options: Any, gone: frozenset[str]) -> Any:
    """A section of the form without these fields."""
    left = (
        tuple(name for name in row if name not in gone) if isinstance(row, tuple) else row for row in options["fields"] if row not in gone
    )
    return {**options, "fields": tuple(left)}


@register(Provider)
class ProviderAdmin(ProductAdmin[Provider]):
    form = ProviderForm
    list_display = ("name", "kind", "base_url", "key", "state", "health", "models", "is_active")
    list_filter = ("kind", "is_active", HealthFilter, ("problem_at", EmptyFieldListFilter))
    search_fields = ("name", "slug", "base_url")
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ("key", "state", "problem", "from_list", "known_health")
    inlines = (EndpointInline,)
    writers_fields = WRITERS_FIELDS
    actions = ("test_connection", "activate", "deactivate")
    change_form_template = "admin/councils/provider/change_form.html"
    fieldsets = (
        (None, {"fields": (("name", "slug"), ("kind", "is_active"), "base_url", "allow_private_address")}),
        ("Key", {"fields": (("key", "state"), "problem", "api_key", "forget_key", "api_key_env")}),
        ("Traffic", {"fields": ("max_parallel_calls", "options")}),
        ("Models", {"fields": ("from_list",)}),
        ("Health", {"fields": ("known_health",)}),
    )

    # What there is nothing to say of before there is a provider is left out while one is added.
    first_fieldsets = (
        (None, {"fields": (("name", "slug"), ("kind", "is_active"), "base_url", "allow_private_address")}),
        ("Key", {"fields": ("api_key", "api_key_env")}),
        ("Traffic", {"fields": ("max_parallel_calls", "options"), "classes": ("collapse",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        return super().get_queryset(request).annotate(model_count=Count("served_models")).prefetch_related(prefetch_health())

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        ours = [
            path("<int:pk>/models/", guarded(partial(add_from_list, self)), name="councils_provider_models"),
            path("<int:pk>/test/", guarded(self.test), name="councils_provider_test"),
            path("switch-off/", guarded(partial(switching.switch_off, self)), name="councils_provider_switch_off"),
        ]
        return [*ours, *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: Provider | None = None) -> Any:
        """Where nothing can be entered, the admin would fill the fields for a key with the key itself, and show what only writers need."""
        whole: Any = super().get_fieldsets(request, obj) if obj else self.first_fieldsets
        if obj and not obj.api_key_sealed:
            whole = [(title, _without(options, frozenset({"forget_key"}))) for title, options in whole]
        may_write = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return whole if may_write else [(title, _without(options, WRITERS_FIELDS)) for title, options in whole]

    def get_readonly_fields(self, request: HttpRequest, obj: Provider | None = None) -> tuple[str, ...]:
        fixed: tuple[str, ...] = tuple(str(name) for name in super().get_readonly_fields(request, obj))
        if request.user.is_superuser:
            return fixed
        # Moving a provider that may reach inside, or that has the operator's key, would move that right along.
        return (*fixed, *SUPERUSER_FIELDS, *(() if _may_direct(request, obj) else ("base_url", "kind", "options")))

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

    @display(description="key accepted", ordering="problem_at", label={"refused": "danger"})
    def state(self, provider: Provider) -> str:
        if provider.problem_at:
            return "refused"
        return "yes, as far as known" if badge(provider)[0] in GOOD else "not known yet"

    @display(description="health", label=HEALTH_LABELS)
    def health(self, provider: Provider) -> tuple[str, str]:
        return badge(provider)

    @display(description="now")
    def known_health(self, provider: Provider) -> SafeString | str:
        return in_words(provider)

    @display(description="models", ordering="model_count")
    def models(self, provider: Provider) -> SafeString:
        count = getattr(provider, "model_count", 0)
        return link_to_list(ModelInfo, f"{count} model{'' if count == 1 else 's'}", provider__id__exact=provider.pk)

    @display(description="models")
    def from_list(self, provider: Provider) -> SafeString | str:
        if not provider.pk:
            return "Save the provider first."
        address = reverse("admin:councils_provider_models", args=[provider.pk])
        add = format_html('<a class="{} office-link" href="{}">Add models from its own list…</a>', LINK, address)
        return format_html("{} · {}", self.models(provider), add)

    def has_check_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("councils.check_provider") or request.user.has_perm("councils.change_provider")

    @outside
    @action(description="Test connection", permissions=["check"])
    def test_connection(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        """Ask each for its models now, with the key and the rules that a run would use."""
        self._tell_connections(request, queryset)

    def test(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The same from the provider's own page, to which it leads back."""
        if not self.has_check_permission(request):
            raise PermissionDenied
        provider = get_object_or_404(Provider, pk=pk)
        if request.method == "POST":
            self._tell_connections(request, Provider.objects.filter(pk=pk))
        return redirect("admin:councils_provider_change", provider.pk)

    def _tell_connections(self, request: HttpRequest, providers: QuerySet[Provider]) -> None:
        for connection in check_connections(providers):
            keep_answer(connection.provider, _answered(connection))
            self.message_user(request, _in_words(connection), messages.ERROR if connection.problem else messages.SUCCESS)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> HttpResponse:
        """The form below what can be done with a stored provider."""
        provider: Provider | None = kwargs.get("obj")
        form = context["adminform"].form
        if form.say_key_is_gone():
            context["errors"].append(form.errors["api_key"])
        context["may_test"] = bool(provider and provider.pk) and self.has_check_permission(request)
        context["may_add_models"] = context["may_test"] and request.user.has_perm(MAY_ADD)
        usable = usable_models(provider) if provider and request.user.has_perm("councils.add_councilconfiguration") else []
        context["council_address"] = council_address(usable[:MOST_SEATS]) if usable else ""
        return super().render_change_form(request, context, *args, **kwargs)

    def response_add(self, request: HttpRequest, obj: Provider, post_url_continue: str | None = None) -> HttpResponse:
        """A new provider is tested next, on its own page."""
        if {"_addanother", "_popup"} & request.POST.keys() or not self.has_view_or_change_permission(request, obj):
            return super().response_add(request, obj, post_url_continue)
        self.message_user(request, f"{obj.name} was added. Test the connection next, then take models from its list.", messages.SUCCESS)
        return redirect("admin:councils_provider_change", obj.pk)

    @action(description="Switch on", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        self.message_user(request, f"{queryset.update(is_active=True)} switched on.")

    @action(description="Switch off…", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[Provider]) -> HttpResponse:
        """Say first which councils use them."""
        return redirect(switching.address(self, queryset.values_list("pk", flat=True)))

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data and not obj.is_active:
            switching.warn_of(request, councils_hit(switching.models_of(Provider.objects.filter(pk=obj.pk))))
