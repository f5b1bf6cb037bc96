"""The history of prices begins with what a site had before it kept one."""

from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module

import pytest
from django.apps import apps

from councils.models import ModelInfo, ModelPrice, PriceSource, Provider
from councils.services.pricing import record_price
from councils.tests.factories import make_model

begin = import_module("councils.migrations.0010_price_history").begin
enter_names = import_module("councils.migrations.0021_prices_outlive_models").enter_names


@pytest.mark.django_db
def test_prices_of_before_begin_the_history_and_models_on_ollama_are_free() -> None:
    priced, free = make_model("priced"), make_model("free", cost_per_1k_input_tokens=0, cost_per_1k_output_tokens=0)
    unknown = make_model("unknown", cost_per_1k_input_tokens=None, cost_per_1k_output_tokens=None)
    half = make_model("half", cost_per_1k_output_tokens=None)
    ollama = Provider.objects.create(slug="o", name="O", kind="ollama", base_url="http://ollama:11434")
    own = ModelInfo.objects.create(provider=ollama, name="own")
    inside = {"base_url": "http://10.0.0.5:4000/v1", "allow_private_address": True}
    gateway = Provider.objects.create(slug="g", name="G", kind="openai", **inside)
    resold = ModelInfo.objects.create(provider=gateway, name="resold")
    ModelInfo.objects.update(created_at=datetime(2026, 1, 2, tzinfo=UTC))

    begin(apps, None)
    begin(apps, None)

    history = {
        row.model.name: (row.source, row.input_price, row.output_price, row.valid_from.day)
        for row in ModelPrice.objects.select_related("model")
        if row.model is not None
    }
    assert history == {
        priced.name: (PriceSource.MANUAL, Decimal("0.001"), Decimal("0.002"), 2),
        free.name: (PriceSource.FREE, 0, 0, 2),
        half.name: (PriceSource.MANUAL, Decimal("0.001"), None, 2),
        own.name: (PriceSource.FREE, 0, 0, 2),
    }
    assert not any(model.has_prices for model in ModelInfo.objects.filter(pk__in=[unknown.pk, resold.pk]))
    assert ModelInfo.objects.get(pk=own.pk).has_prices


@pytest.mark.django_db
def test_prices_that_were_there_before_learn_whose_they_are() -> None:
    model = make_model("old")
    price = ModelPrice.objects.create(model=model, input_price=1, output_price=2, source=PriceSource.MANUAL)
    renamed = ModelPrice.objects.create(model=model, model_name="older", input_price=3, output_price=4, source=PriceSource.MANUAL)

    enter_names(apps, None)

    names = dict(ModelPrice.objects.values_list("pk", "model_name"))
    assert names == {price.pk: "old", renamed.pk: "older"}
    assert ModelPrice.objects.get(pk=price.pk).provider_name == model.provider.name


@pytest.mark.django_db
def test_what_a_model_has_cost_is_still_known_when_it_and_its_provider_are_gone() -> None:
    model = make_model("spare")
    record_price(model)
    provider = model.provider.name

    model.provider.delete()

    assert not ModelInfo.objects.filter(name="spare").exists()
    kept = ModelPrice.objects.get()
    assert (kept.model, kept.model_name, kept.provider_name) == (None, "spare", provider)
    assert (kept.input_price, kept.output_price) == (Decimal("0.001"), Decimal("0.002"))
