"""Models from a provider's own list: choose several, look at what is known of them, add them."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.forms import BaseFormSet, formset_factory
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from councils.admin.base import signed_in
from councils.admin.pages import page
from councils.admin.show import LINK, duration, list_address
from councils.engine.types import StructuredMode
from councils.formatting import exact_usd
from councils.models import ModelInfo, PriceSource, Provider
from councils.services.catalogue import Offer, add_models, fetch_catalogue, offers_of
from councils.services.connecting import Connection
from councils.services.pricing import MAY_SET, suggest_price

MAY_ADD = "councils.add_modelinfo"
MAY_ASK = ("councils.check_provider", "councils.change_provider")
MOST = 100
FIELDS = ("name", "label", "cost_per_1k_input_tokens", "cost_per_1k_output_tokens", "context_window")
SOURCES = {
    PriceSource.FREE: "free: it runs on Ollama",
    PriceSource.LIST: "from a public list: check it",
    None: "not known: councils cannot use it until you enter it, or 0 if it is free",
}


MODES = {
    StructuredMode.JSON_SCHEMA: "ballots by JSON schema",
    StructuredMode.JSON_OBJECT: "ballots as JSON objects",
    StructuredMode.PLAIN: "ballots as plain text",
}


def abilities(connection: Connection) -> str:
    """What the models that are set up can do as far as known, and which of them the provider does not name, in words."""
    ours = list(ModelInfo.objects.filter(provider=connection.provider, is_active=True).order_by("name"))
    # Ollama names a model with its tag, and takes it without.
    gone = [model.name for model in ours if not {model.name, f"{model.name}:latest"} & set(connection.names)]
    modes = [f"{model.name}: {MODES[StructuredMode(model.structured_mode)]}" for model in ours if model.name not in gone]
    said = [f"Set up here, all with streaming: {'; '.join(modes)}."] if modes else []
    return " ".join([*said, *([f"It does not name {', '.join(gone)}."] if gone else [])])


class ChosenForm(forms.ModelForm[ModelInfo]):
    """One model that was chosen."""

    class Meta:
        model = ModelInfo
        fields = FIELDS
        widgets = {"name": forms.HiddenInput()}

    def __init__(self, *args: Any, provider: Provider, may_price: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.provider = provider
        if not may_price:
            del self.fields["cost_per_1k_input_tokens"], self.fields["cost_per_1k_output_tokens"]
        for name, field in self.fields.items():
            field.widget.attrs |= {"class": "office-field office-narrow", "aria-label": f"{field.label}"}
            if name.startswith("cost"):
                field.widget.attrs |= {"step": "any", "min": "0"}

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if ModelInfo.objects.filter(provider=self.instance.provider, name=name).exists():
            raise ValidationError("This model is there already.")
        return name


def add_from_list(admin: ModelAdmin[Provider], request: HttpRequest, pk: int) -> HttpResponse:
    """The question, then the provider's list, then what was chosen of it, then the models. Only a POST asks the provider."""
    _check_rights(request)
    provider = get_object_or_404(Provider, pk=pk)
    title = f"Models of {provider.name}"
    if request.method != "POST":
        return page(admin, request, "provider/catalogue.html", title, provider=provider, catalogue=None)
    if "add" in request.POST:
        return _add(admin, request, provider)
    if "ask" not in request.POST and (names := request.POST.getlist("model")[:MOST]):
        offers = [offer for offer in offers_of(provider, names) if not offer.is_there]
        return _confirm(admin, request, provider, _formset(provider, offers, may_price=request.user.has_perm(MAY_SET)))
    if "ask" not in request.POST:
        messages.warning(request, "No model was chosen.")
    catalogue = fetch_catalogue(provider)
    lines = [(offer, exact_usd(offer.input_price), exact_usd(offer.output_price)) for offer in catalogue.offers]
    context = {"provider": provider, "catalogue": catalogue, "lines": lines, "took": duration(catalogue.latency_ms), "most": MOST}
    return page(admin, request, "provider/catalogue.html", title, **context)


def _check_rights(request: HttpRequest) -> None:
    may = request.user.has_perm
    if not (may(MAY_ADD) and any(may(one) for one in MAY_ASK)):
        raise PermissionDenied


class ChosenForms(BaseFormSet[ChosenForm]):
    """All that were chosen, each once."""

    def clean(self) -> None:
        if not self.forms:
            raise ValidationError("No model was chosen.")
        seen = set()
        for form in self.forms:
            name = form.cleaned_data.get("name") if form.is_valid() else None
            if name in seen:
                form.add_error("name", "This model is chosen twice.")
            elif name:
                seen.add(name)


CHOSEN = formset_factory(ChosenForm, formset=ChosenForms, extra=0, max_num=MOST, absolute_max=MOST, validate_max=True)


def _formset(provider: Provider, offers: Sequence[Offer], *, may_price: bool) -> BaseFormSet[ChosenForm]:
    initial = [
        {
            "name": offer.name,
            "cost_per_1k_input_tokens": _plain(offer.input_price),
            "cost_per_1k_output_tokens": _plain(offer.output_price),
            "context_window": offer.context_window,
        }
        for offer in offers
    ]
    return CHOSEN(initial=initial, form_kwargs={"provider": provider, "may_price": may_price})


def _plain(price: Any) -> str | None:
    return None if price is None else f"{price.normalize():f}"


def _settled(offer: Offer) -> str:
    """The price for those who may not set it."""
    if not offer.has_prices:
        return "not known: councils cannot use it until somebody who may set prices enters it"
    return f"{exact_usd(offer.input_price)} in, {exact_usd(offer.output_price)} out"


def _confirm(admin: ModelAdmin[Provider], request: HttpRequest, provider: Provider, formset: BaseFormSet[ChosenForm]) -> HttpResponse:
    names = [str(form["name"].value() or "") for form in formset.forms]
    may_price = request.user.has_perm(MAY_SET)
    said = {offer.name: SOURCES[offer.source] if may_price else _settled(offer) for offer in offers_of(provider, names)}
    lines = [(form, name, said.get(name, "")) for form, name in zip(formset.forms, names, strict=True)]
    context = {"provider": provider, "formset": formset, "lines": lines, "may_price": may_price}
    return page(
        admin, request, "provider/chosen.html", f"Add {len(lines)} model{'' if len(lines) == 1 else 's'} of {provider.name}", **context
    )


def _add(admin: ModelAdmin[Provider], request: HttpRequest, provider: Provider) -> HttpResponse:
    try:
        return _added_now(admin, request, provider)
    except IntegrityError:
        # Somebody else added one of them since the form was checked. Checked once more, it says so at its name.
        return _added_now(admin, request, provider)


def _added_now(admin: ModelAdmin[Provider], request: HttpRequest, provider: Provider) -> HttpResponse:
    may_price = request.user.has_perm(MAY_SET)
    formset = CHOSEN(request.POST, form_kwargs={"provider": provider, "may_price": may_price})
    if not formset.is_valid():
        return _confirm(admin, request, provider, formset)
    models = [form.instance for form in formset.forms]
    for model in models if not may_price else ():
        suggest_price(model)
    add_models(models, by=signed_in(request))
    admin.log_change(request, provider, f"Added {', '.join(model.name for model in models)}.")
    unpriced = [model.name for model in models if not model.has_prices]
    messages.success(request, _added(request, provider, models))
    if unpriced:
        todo = "Enter it, or 0 if it is free." if may_price else "Ask somebody who may set prices."
        messages.warning(request, f"The price of {', '.join(unpriced)} is not known, so councils cannot use it. {todo}")
    return redirect(list_address(ModelInfo, provider__id__exact=provider.pk))


def council_address(models: Sequence[ModelInfo]) -> str:
    """The form of a new council whose seats these models take."""
    return f"{reverse('admin:councils_councilconfiguration_add')}?{urlencode([('model', model.pk) for model in models])}"


def usable_models(provider: Provider) -> list[ModelInfo]:
    """Those that a council can use."""
    return [model for model in ModelInfo.objects.filter(provider=provider, is_active=True).order_by("pk") if model.has_prices]


def _added(request: HttpRequest, provider: Provider, models: Sequence[ModelInfo]) -> str:
    said = f"{len(models)} added to {provider.name}."
    usable = [model for model in models if model.has_prices]
    if not usable or not request.user.has_perm("councils.add_councilconfiguration"):
        return said
    return format_html(
        '{} <a href="{}" class="{}">Make a council of {}…</a>', said, council_address(usable), LINK, "these" if len(usable) > 1 else "it"
    )
