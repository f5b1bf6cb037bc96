"""Providers in the admin: keys go in and never come out, and only superusers decide where this server may connect."""

import asyncio
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from benchmarks.fake.server import Running
from councils import addresses as asking
from councils.models import ModelInfo, ModelPrice, PriceSource, Provider, User
from councils.services.connecting import Connection
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.admin.forms import endpoint_rows, model_form, provider_form, provider_form_of
from councils.tests.factories import make_model

pytestmark = pytest.mark.django_db

ADD = "/admin/councils/provider/add/"
ADD_MODEL = "/admin/councils/modelinfo/add/"


def address_of(provider: Provider) -> str:
    return reverse("admin:councils_provider_change", args=[provider.pk])


def stored(**fields: object) -> Provider:
    plain: dict[str, Any] = {"name": "Acme", "slug": "acme", "kind": "openai", "base_url": "https://api.acme.example/v1"}
    provider = Provider(**(plain | fields))
    provider.set_api_key("sk-planted-key")
    provider.save()
    return provider


def test_a_key_is_stored_encrypted_and_shown_nowhere(admin: Client) -> None:
    admin.post(ADD, provider_form(api_key="sk-planted-key"))

    provider = Provider.objects.get(slug="acme")
    assert provider.api_key() == "sk-planted-key"
    assert "planted" not in provider.api_key_sealed
    for address in (address_of(provider), reverse("admin:councils_provider_changelist"), address_of(provider) + "../history/"):
        page = admin.get(address, follow=True).content.decode()
        assert "planted" not in page
        assert provider.api_key_sealed not in page
    assert not LogEntry.objects.filter(change_message__contains="planted").exists()


def test_a_rejected_form_does_not_send_the_key_back(admin: Client) -> None:
    answer = admin.post(ADD, provider_form(api_key="sk-planted-key", base_url="nonsense"))

    page = answer.content.decode()
    assert answer.status_code == 200
    assert "planted" not in page
    assert page.count("Type the key again") == 2, "at the field, and in what keeps the form from being saved"
    assert "keep the stored key" not in page
    assert 'class="addlink' not in page, "it would lead to the same form, empty"


def test_a_form_that_comes_back_because_of_a_further_address_asks_for_the_key_too(admin: Client) -> None:
    row = endpoint_rows({"base_url": "http://127.0.0.1:1/v1"})
    page = admin.post(ADD, provider_form(api_key="sk-planted-key") | row).content.decode()

    assert "Type the key again" in page
    assert not Provider.objects.exists()


def test_an_empty_key_field_keeps_the_stored_key(admin: Client) -> None:
    provider = stored()

    admin.post(address_of(provider), provider_form_of(provider, name="Acme Inc."))

    provider.refresh_from_db()
    assert (provider.name, provider.api_key()) == ("Acme Inc.", "sk-planted-key")


def test_a_key_can_be_forgotten(admin: Client) -> None:
    provider = stored()

    admin.post(address_of(provider), provider_form_of(provider, forget_key=True))

    provider.refresh_from_db()
    assert provider.api_key_sealed == ""


def test_a_stored_key_does_not_follow_to_another_host(admin: Client) -> None:
    provider = stored()

    answer = admin.post(address_of(provider), provider_form_of(provider, base_url="https://elsewhere.example/v1"))

    assert "Enter the key again" in answer.content.decode()
    provider.refresh_from_db()
    assert provider.base_url == "https://api.acme.example/v1"


def test_another_path_on_the_same_host_needs_no_new_key(admin: Client) -> None:
    provider = stored()

    admin.post(address_of(provider), provider_form_of(provider, base_url="https://api.acme.example/v2"))

    provider.refresh_from_db()
    assert (provider.base_url, provider.api_key()) == ("https://api.acme.example/v2", "sk-planted-key")


@pytest.mark.parametrize("options", ['{"headers": {"Authorization": "x"}}', "[1]", '{"api_key": "x"}'])
def test_options_hold_no_secrets_and_are_an_object(admin: Client, options: str) -> None:
    answer = admin.post(ADD, provider_form(options=options))

    assert answer.status_code == 200
    assert not Provider.objects.exists()


def test_staff_cannot_open_the_inside_of_the_network_nor_use_the_operators_keys() -> None:
    browser = sign_in(staff_with("add_provider", "view_provider"))

    browser.post(ADD, provider_form(allow_private_address=True, api_key_env="OPENAI_API_KEY"))

    provider = Provider.objects.get(slug="acme")
    assert (provider.allow_private_address, provider.api_key_env) == (False, "")


@pytest.mark.parametrize("trusted", [{"allow_private_address": True}, {"api_key_env": "ACME_API_KEY"}], ids=["inside", "operator key"])
def test_staff_cannot_move_a_provider_that_a_superuser_trusted(trusted: dict[str, object]) -> None:
    provider = Provider.objects.create(name="Acme", slug="acme", kind="openai", base_url="http://10.0.0.5:8000", **trusted)
    browser = sign_in(staff_with("change_provider", "view_provider"))

    browser.post(address_of(provider), provider_form_of(provider, name="Renamed", base_url="http://10.0.0.6:22", kind="ollama"))

    provider.refresh_from_db()
    assert (provider.name, provider.base_url, provider.kind) == ("Renamed", "http://10.0.0.5:8000", "openai")


def test_a_superuser_can_allow_a_private_address(admin: Client) -> None:
    admin.post(ADD, provider_form(base_url="http://10.0.0.5:8000", allow_private_address=True))

    assert Provider.objects.get().allow_private_address


@pytest.mark.parametrize("address", ["http://10.0.0.5:8000", "http://127.0.0.1:11434", "http://localhost:11434/v1", "http://[::1]:80"])
def test_a_private_address_without_the_switch_is_refused_and_the_switch_is_named(admin: Client, address: str) -> None:
    answer = admin.post(ADD, provider_form(base_url=address))

    assert "Switch on “Allow private address”" in answer.content.decode()
    assert not Provider.objects.exists()


def test_people_who_cannot_set_the_switch_are_told_who_can() -> None:
    answer = sign_in(staff_with("add_provider", "view_provider")).post(ADD, provider_form(base_url="http://10.0.0.5:8000"))

    assert "A superuser can switch on “Allow private address”" in answer.content.decode()
    assert not Provider.objects.exists()


def test_hosts_that_the_operator_named_need_no_switch(settings: Settings) -> None:
    settings.PRIVATE_PROVIDER_HOSTS = ["10.0.0.5:8000"]

    sign_in(staff_with("add_provider", "view_provider")).post(ADD, provider_form(base_url="http://10.0.0.5:8000"))

    assert Provider.objects.exists()


def test_an_address_that_no_switch_would_open_does_not_name_it(admin: Client) -> None:
    page = admin.post(ADD, provider_form(base_url="http://10.0.0.5\\@evil.example")).content.decode()

    assert "if this host is meant to be contacted" not in page
    assert not Provider.objects.exists()


def try_out(admin: Client, *providers: Provider) -> str:
    form = {"action": "test_connection", "_selected_action": [provider.pk for provider in providers]}
    return admin.post(reverse("admin:councils_provider_changelist"), form, follow=True).content.decode()


def test_a_connection_that_works_says_how_fast_and_how_many_models(admin: Client, fake_provider: Running) -> None:
    provider = stored(base_url=f"{fake_provider.url}/v1", allow_private_address=True)

    assert re.search(r"Acme answered in [\d.]+\s(ms|s) and serves \d+ models?\.", try_out(admin, provider))


@pytest.mark.django_db(transaction=True)
def test_nobody_else_waits_while_a_connection_is_tested(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def check(providers: Iterable[Provider]) -> list[Connection]:
        seen.append(connection.in_atomic_block)
        return [Connection(provider=provider, base_url=provider.base_url, names=("one",)) for provider in providers]

    monkeypatch.setattr("councils.admin.provider.check_connections", check)

    assert "serves 1 model." in try_out(admin, stored())
    assert seen == [False]


def test_a_connection_that_fails_says_why_and_the_others_are_tested_all_the_same(admin: Client, fake_provider: Running) -> None:
    good = stored(base_url=f"{fake_provider.url}/v1", allow_private_address=True)
    closed = stored(name="Closed", slug="closed", base_url=fake_provider.url)

    page = try_out(admin, good, closed)

    assert "Acme answered" in page
    assert "Closed: " in page
    assert "is inside the network" in page
    assert "switch on “Allow private address”" in page
    assert "planted" not in page


def test_a_provider_that_is_silent_is_given_up(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*_: object, **__: object) -> tuple[str, ...]:
        await asyncio.Event().wait()
        return ()

    monkeypatch.setattr(asking, "list_models", silent)
    monkeypatch.setattr(asking, "LISTING_TIMEOUT_S", 0.01)

    assert "No answer within 0.01 s." in try_out(admin, stored())


def test_a_key_that_cannot_be_read_is_a_sentence(admin: Client) -> None:
    provider = stored()
    Provider.objects.update(api_key_sealed="gibberish")

    assert "cannot be read with the keys" in try_out(admin, provider)


def test_only_people_who_may_change_providers_test_them() -> None:
    assert "Acme answered" not in (page := try_out(sign_in(staff_with("view_provider")), stored()))
    assert "Acme: " not in page


def test_the_list_says_which_keys_are_missing(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACME_API_KEY", raising=False)
    Provider.objects.create(name="Acme", slug="acme", kind="openai", base_url="https://a.example", api_key_env="ACME_API_KEY")

    assert "not set in the environment" in admin.get(reverse("admin:councils_provider_changelist")).content.decode()


def test_providers_are_switched_off_and_on_again(admin: Client) -> None:
    provider = stored()
    listing = reverse("admin:councils_provider_changelist")

    asked = admin.post(listing, {"action": "deactivate", "_selected_action": provider.pk})
    admin.post(asked["Location"])
    provider.refresh_from_db()
    assert not provider.is_active

    admin.post(listing, {"action": "activate", "_selected_action": provider.pk})
    provider.refresh_from_db()
    assert provider.is_active


def test_a_well_known_model_gets_its_list_price(admin: Client) -> None:
    provider = Provider.objects.create(name="OpenAI", slug="openai", kind="openai", base_url="https://api.openai.com/v1")

    admin.post(ADD_MODEL, model_form(provider, name="gpt-4.1-mini"))

    model = ModelInfo.objects.get()
    assert model.has_prices
    assert model.context_window is not None


def test_a_price_that_was_typed_stays(admin: Client) -> None:
    provider = Provider.objects.create(name="OpenAI", slug="openai", kind="openai", base_url="https://api.openai.com/v1")

    admin.post(ADD_MODEL, model_form(provider, name="gpt-4.1-mini", cost_per_1k_input_tokens="0", cost_per_1k_output_tokens="0"))

    assert ModelInfo.objects.get().cost_per_1k_output_tokens == Decimal(0)


def test_an_unknown_price_stays_unknown_and_says_so(admin: Client) -> None:
    answer = admin.post(ADD_MODEL, model_form(stored(), name="homemade"), follow=True)

    assert not ModelInfo.objects.get().has_prices
    assert "price of this model is not known" in answer.content.decode()


def save_with(browser: Client, provider: Provider, *rows: dict[str, Any], **fields: Any) -> str:
    answer = browser.post(address_of(provider), provider_form_of(provider, **endpoint_rows(*rows), **fields))
    return answer.content.decode()


def addresses(provider: Provider) -> list[str]:
    return [endpoint.base_url for endpoint in provider.endpoints.all()]


def test_a_provider_gets_further_addresses_with_its_key_entered_again(admin: Client) -> None:
    provider, elsewhere = stored(), "https://b.acme.example/v1"

    assert "Enter the provider&#x27;s key again" in save_with(admin, provider, {"base_url": elsewhere})
    assert addresses(provider) == []

    save_with(admin, provider, {"base_url": elsewhere, "max_parallel_calls": 5}, api_key="sk-planted-key")
    assert addresses(provider) == [elsewhere]


def test_another_port_of_the_same_host_is_another_server(admin: Client) -> None:
    provider = stored()

    assert "This is another host." in save_with(admin, provider, {"base_url": "https://api.acme.example:8443/v1"})


@pytest.mark.parametrize("address", ["http://10.0.0.5:8000", "http://[::1]:80", "ftp://a.example", "https://api.acme.example/v1"])
def test_an_address_that_would_not_be_asked_is_refused(admin: Client, address: str) -> None:
    provider = stored()

    save_with(admin, provider, {"base_url": address}, api_key="sk-planted-key")

    assert addresses(provider) == []


def test_only_a_superuser_allows_a_private_address(admin: Client) -> None:
    provider = stored()
    row = {"base_url": "http://10.0.0.5:8000", "allow_private_address": True}

    save_with(
        sign_in(staff_with("change_provider", "add_providerendpoint", "change_providerendpoint")), provider, row, api_key="sk-x-planted"
    )
    assert addresses(provider) == []

    save_with(admin, provider, row, api_key="sk-planted-key")
    assert addresses(provider) == ["http://10.0.0.5:8000"]


@pytest.mark.parametrize("trusted", ["operator key", "inside", "an address inside"])
def test_staff_do_not_add_addresses_to_a_provider_that_is_trusted_with_more_than_they_are(trusted: str) -> None:
    provider = stored(api_key_env="ACME_API_KEY" if trusted == "operator key" else "", allow_private_address=trusted == "inside")
    if trusted == "an address inside":
        provider.endpoints.create(base_url="http://10.0.0.5:8000", allow_private_address=True)
    before = addresses(provider)
    staff = sign_in(staff_with("change_provider", "add_providerendpoint", "change_providerendpoint"))

    save_with(staff, provider, {"base_url": "https://mine.example"}, api_key="sk-x-planted")

    assert addresses(provider) == before


def test_each_address_of_a_provider_is_tested(admin: Client, fake_provider: Running) -> None:
    provider = stored(base_url=f"{fake_provider.url}/v1", allow_private_address=True)
    provider.endpoints.create(base_url="http://127.0.0.1:9/v1", allow_private_address=True)
    provider.endpoints.create(base_url="http://127.0.0.1:10/v1", allow_private_address=True, is_active=False)

    page = try_out(admin, provider)

    assert "Acme answered" in page
    assert "Acme at http://127.0.0.1:9/v1: The provider could not be reached." in page
    assert "127.0.0.1:10/" not in page


def test_a_provider_that_refuses_our_key_is_told_in_the_list_until_a_connection_works(admin: Client, fake_provider: Running) -> None:
    provider = stored(base_url=f"{fake_provider.url}/v1", allow_private_address=True)
    Provider.objects.mark(provider.pk, "The provider does not accept our key. HTTP 401")
    listed = admin.get(reverse("admin:councils_provider_changelist")).content.decode()
    assert "refused" in listed
    assert "does not accept our key" in admin.get(address_of(provider)).content.decode()

    try_out(admin, provider)

    assert (Provider.objects.get().problem, Provider.objects.get().problem_at) == ("", None)


@pytest.mark.parametrize("lookup", ["api_key_sealed__startswith=g", "api_key_sealed=", "api_key_sealed__regex=^g"])
def test_nobody_guesses_a_stored_key_by_filtering_the_list(admin: Client, lookup: str) -> None:
    stored()

    assert admin.get(f"{reverse('admin:councils_provider_changelist')}?{lookup}").status_code == 400


def test_a_new_model_on_a_machine_of_ones_own_is_marked_free(admin: Client) -> None:
    provider = stored(kind="ollama")

    page = admin.post(ADD_MODEL, model_form(provider, name="llama3.2:1b"), follow=True).content.decode()

    assert "marked as free" in page
    assert ModelPrice.objects.get().source == PriceSource.FREE


def test_a_changed_price_is_kept_with_who_changed_it(admin: Client, root: User) -> None:
    provider = stored()
    admin.post(ADD_MODEL, model_form(provider, cost_per_1k_input_tokens="0.1", cost_per_1k_output_tokens="0.2"))
    model = ModelInfo.objects.get()
    address = reverse("admin:councils_modelinfo_change", args=[model.pk])

    admin.post(address, model_form(provider, cost_per_1k_input_tokens="0.3", cost_per_1k_output_tokens="0.2"))

    assert [(row.input_price, row.by) for row in ModelPrice.objects.all()] == [(Decimal("0.3"), root), (Decimal("0.1"), root)]
    assert "prices so far" in admin.get(address).content.decode().lower()


def test_models_without_a_price_are_found_and_can_be_marked_as_free(admin: Client) -> None:
    provider = stored()
    unknown = ModelInfo.objects.create(provider=provider, name="mystery")
    ModelInfo.objects.create(provider=provider, name="priced", cost_per_1k_input_tokens=1, cost_per_1k_output_tokens=1)
    models = reverse("admin:councils_modelinfo_changelist")

    missing, known = (admin.get(f"{models}?price={which}").content.decode() for which in ("missing", "known"))
    assert ("mystery" in missing, ">priced<" in missing, ">mystery<" in known) == (True, False, False)

    admin.post(models, {"action": "mark_as_free", "_selected_action": [unknown.pk]})
    unknown.refresh_from_db()
    assert unknown.has_prices


def test_a_new_provider_leads_to_its_page_where_it_can_be_tested(admin: Client) -> None:
    answer = admin.post("/admin/councils/provider/add/", provider_form(), follow=True)
    page = answer.content.decode()

    assert answer.redirect_chain == [(f"/admin/councils/provider/{Provider.objects.get().pk}/change/", 302)]
    assert "Test the connection next" in page
    assert ">Test connection</button>" in page


def test_adding_a_provider_asks_only_what_there_is_to_say(admin: Client) -> None:
    page = admin.get("/admin/councils/provider/add/").content.decode()

    assert "Forget the stored key" not in page
    assert "Key accepted" not in page
    assert "Test connection" not in page


def test_the_connection_is_tested_from_the_providers_page(admin: Client, fake_provider: Running) -> None:
    provider = stored(base_url=f"{fake_provider.url}/v1", allow_private_address=True)
    address = f"/admin/councils/provider/{provider.pk}/test/"

    before, after = admin.get(address, follow=True).content.decode(), admin.post(address, follow=True).content.decode()
    assert "answered in" not in before
    assert "Not checked yet" in before
    assert f"{provider.name} answered in" in after
    assert "Not checked yet" not in after
    assert provider.health_records.current().get().problem == ""


def test_who_may_not_test_is_not_let_through(client: Client) -> None:
    client.force_login(User.objects.create_user("clerk", is_staff=True))

    assert client.post(f"/admin/councils/provider/{stored().pk}/test/").status_code == 403


def test_a_provider_leads_to_a_council_of_its_models(admin: Client) -> None:
    model = make_model()

    page = admin.get(f"/admin/councils/provider/{model.provider.pk}/change/").content.decode()

    assert f"/admin/councils/councilconfiguration/add/?model={model.pk}" in page
