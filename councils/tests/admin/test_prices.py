"""Prices in the admin are written as people write them, and only by those who may set them."""

import json
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from councils.models import ModelInfo, PriceSource, Provider, User
from councils.services import catalogue
from councils.services.connecting import Connection
from councils.services.roles import ensure_roles
from councils.tests.admin.conftest import sign_in
from councils.tests.admin.forms import model_form
from councils.tests.factories import make_model, make_user

pytestmark = pytest.mark.django_db

MODELS = "/admin/councils/modelinfo/"
IMPORT = "/admin/councils/councilconfiguration/import/"
DEAR = (Decimal(3), Decimal(4))


@pytest.mark.parametrize(("price", "shown"), [("0", "0"), ("0.00000015", "0.00000015"), ("0.25", "0.25"), ("10", "10")])
def test_a_price_stands_in_its_field_without_an_exponent(admin: Client, price: str, shown: str) -> None:
    model = make_model(cost_per_1k_input_tokens=Decimal(price))

    page = admin.get(f"{MODELS}{model.pk}/change/")

    form = page.context["adminform"].form
    assert f'value="{shown}"' in str(form["cost_per_1k_input_tokens"])
    assert "0E-8" not in page.content.decode()
    assert "0E-8" not in admin.get(MODELS).content.decode()


def test_opening_and_saving_a_price_does_not_change_it(admin: Client) -> None:
    model = make_model(cost_per_1k_input_tokens=Decimal(0))

    form = admin.get(f"{MODELS}{model.pk}/change/").context["adminform"].form
    again = type(form)(data={name: form[name].value() or "" for name in form.fields}, instance=model)

    assert "cost_per_1k_input_tokens" not in again.changed_data


@pytest.fixture
def manager(db: None) -> User:
    """A council manager: changes models, and may not say what they cost."""
    # Tests that commit empty all tables after them, what migrations had stored with the rest.
    ensure_roles()
    user = make_user(is_staff=True)
    user.groups.add(Group.objects.get(name="Council manager"))
    return user


def dear_model() -> ModelInfo:
    return make_model(cost_per_1k_input_tokens=DEAR[0], cost_per_1k_output_tokens=DEAR[1])


def with_price(user: User) -> User:
    user.user_permissions.add(Permission.objects.get(codename="set_prices"))
    return User.objects.get(pk=user.pk)


def prices_of(model: ModelInfo) -> tuple[Decimal | None, Decimal | None]:
    model.refresh_from_db()
    return model.cost_per_1k_input_tokens, model.cost_per_1k_output_tokens


def test_a_council_manager_changes_a_model_and_not_its_price(manager: User) -> None:
    model, browser = dear_model(), sign_in(manager)
    cheap = Provider.objects.create(name="Cheap", slug="cheap", kind="openai", base_url="https://cheap.example/v1")
    forged = model_form(cheap, name="cheap", label="Renamed", cost_per_1k_input_tokens="0", cost_per_1k_output_tokens="0")

    page = browser.get(f"{MODELS}{model.pk}/change/").text
    browser.post(f"{MODELS}{model.pk}/change/", forged)
    browser.post(MODELS, {"action": "mark_as_free", "_selected_action": [model.pk]})

    assert 'name="cost_per_1k_input_tokens"' not in page
    assert prices_of(model) == DEAR
    assert (model.label, model.provider.slug == "cheap", model.name == "cheap") == ("Renamed", False, False)


def test_a_new_model_of_a_council_manager_has_the_price_of_the_list_or_none(manager: User) -> None:
    provider = Provider.objects.create(name="OpenAI", slug="openai", kind="openai", base_url="https://api.openai.com/v1")
    browser = sign_in(manager)

    for name in ("gpt-4.1-mini", "nobody-knows-this"):
        form = model_form(provider, name=name, cost_per_1k_input_tokens="0", cost_per_1k_output_tokens="0")
        browser.post(f"{MODELS}add/", form)

    assert ModelInfo.objects.get(name="gpt-4.1-mini").cost_per_1k_input_tokens == Decimal("0.0004")
    assert not ModelInfo.objects.get(name="nobody-knows-this").has_prices


def test_models_that_a_council_manager_takes_from_a_list_cost_what_is_known(manager: User, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider.objects.create(name="OpenAI", slug="openai", kind="openai", base_url="https://api.openai.com/v1")
    monkeypatch.setattr(
        catalogue, "check_connections", lambda providers: [Connection(provider=one, base_url=one.base_url) for one in providers]
    )
    browser, page = sign_in(manager), f"/admin/councils/provider/{provider.pk}/models/"
    names = ["gpt-4.1-mini", "nobody-knows-this"]
    rows = {f"form-{place}-name": name for place, name in enumerate(names)}
    rows |= {f"form-{place}-cost_per_1k_{way}_tokens": "0" for place in (0, 1) for way in ("input", "output")}

    shown = browser.post(page, {"model": names}).text
    browser.post(page, {"add": "yes", "form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "0", **rows})

    assert "cost_per_1k_input_tokens" not in shown
    assert "0.0004 USD in" in shown
    known = ModelInfo.objects.get(name="gpt-4.1-mini")
    assert known.cost_per_1k_input_tokens == Decimal("0.0004")
    assert known.prices.get().source == PriceSource.LIST
    assert not ModelInfo.objects.get(name="nobody-knows-this").has_prices


@pytest.mark.parametrize("price", [0, "0", None, "2.99", "sNaN", [], True])
def test_a_council_manager_brings_in_no_price(manager: User, price: object) -> None:
    model = dear_model()
    entry = {"provider": model.provider.slug, "name": model.name, "label": "Brought", "cost_per_1k_input_tokens": price}

    answer = sign_in(manager).post(IMPORT, {"text": json.dumps({"models": [entry]}), "apply": "yes"})

    assert "You may not set prices" in answer.text
    assert prices_of(model) == DEAR
    assert model.label != "Brought"


def test_a_document_with_the_stored_price_comes_in(manager: User) -> None:
    model = dear_model()
    entry = {"provider": model.provider.slug, "name": model.name, "label": "Brought", "cost_per_1k_input_tokens": "3.0"}

    sign_in(manager).post(IMPORT, {"text": json.dumps({"models": [entry]}), "apply": "yes"})

    assert (prices_of(model), model.label) == (DEAR, "Brought")


def test_who_may_set_prices_beside_a_role_sets_them(manager: User) -> None:
    model, browser = dear_model(), sign_in(with_price(manager))

    browser.post(MODELS, {"action": "mark_as_free", "_selected_action": [model.pk]})

    assert prices_of(model) == (Decimal(0), Decimal(0))
