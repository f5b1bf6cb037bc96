"""Models from a provider's own list, with prices and windows filled in; switching them off says first whom it hits."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.fake.server import Running
from councils.models import CouncilConfiguration, ModelInfo, ModelPrice, PriceSource, Provider
from councils.services import catalogue
from councils.services.connecting import Connection
from councils.services.roles import ensure_roles
from councils.services.switching import councils_hit
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.factories import make_council, make_model, make_user

pytestmark = pytest.mark.django_db

ASK = {"ask": "yes"}


def provider_of(**fields: Any) -> Provider:
    plain = {"name": "OpenAI", "slug": "openai", "kind": "openai", "base_url": "https://api.openai.com/v1"}
    return Provider.objects.create(**(plain | fields))


def list_of(provider: Provider) -> str:
    return f"/admin/councils/provider/{provider.pk}/models/"


def served(monkeypatch: pytest.MonkeyPatch, *names: str, problem: str = "") -> None:
    def answer(providers: list[Provider]) -> list[Connection]:
        return [Connection(provider=one, base_url=one.base_url, names=names, latency_ms=120, problem=problem) for one in providers]

    monkeypatch.setattr(catalogue, "check_connections", answer)


def chosen_form(page: Any, **changes: Any) -> dict[str, Any]:
    """What a browser sends back from the page of what was chosen."""
    formset = page.context["formset"]
    data = {f"form-{name}": str(formset.management_form[name].value()) for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    for form in formset.forms:
        data |= {form.add_prefix(name): "" if (value := form[name].value()) is None else str(value) for name in form.fields}
    return data | {"add": "yes"} | changes


def test_several_models_are_added_with_what_is_known_of_them(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = provider_of()
    served(monkeypatch, "gpt-4.1-mini", "nobody-knows-this", "there")
    ModelInfo.objects.create(provider=provider, name="there")

    first = admin.post(list_of(provider), ASK).content.decode()
    assert "answered in 120 ms and serves 3 models" in first
    assert 'value="there" disabled' in first
    page = admin.post(list_of(provider), {"model": ["gpt-4.1-mini", "nobody-knows-this", "there"]})
    assert [name for _form, name, _said in page.context["lines"]] == ["gpt-4.1-mini", "nobody-knows-this"]
    assert "from a public list" in page.content.decode()
    assert "not known: councils cannot use it" in page.content.decode()
    done = admin.post(list_of(provider), chosen_form(page), follow=True).content.decode()

    known = ModelInfo.objects.get(name="gpt-4.1-mini")
    assert known.cost_per_1k_input_tokens == Decimal("0.0004")
    assert (known.context_window or 0) > 100_000
    assert ModelPrice.objects.get(model=known).source == PriceSource.LIST
    assert "The price of nobody-knows-this is not known" in done
    assert not ModelInfo.objects.get(name="nobody-knows-this").has_prices
    assert LogEntry.objects.get().change_message == "Added gpt-4.1-mini, nobody-knows-this."


def test_a_price_that_was_entered_by_hand_is_no_list_price(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = provider_of()
    served(monkeypatch, "gpt-4.1-mini")
    page = admin.post(list_of(provider), {"model": "gpt-4.1-mini"})

    admin.post(list_of(provider), chosen_form(page) | {"form-0-cost_per_1k_input_tokens": "0.5", "form-0-label": "Mini"})

    model = ModelInfo.objects.get()
    assert (model.label, model.cost_per_1k_input_tokens) == ("Mini", Decimal("0.5"))
    assert ModelPrice.objects.get().source == PriceSource.MANUAL


def test_models_on_ollama_are_free(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = provider_of(kind="ollama", base_url="http://127.0.0.1:11434")
    served(monkeypatch, "qwen2.5:0.5b")

    admin.post(list_of(provider), chosen_form(admin.post(list_of(provider), {"model": "qwen2.5:0.5b"})))

    assert ModelInfo.objects.get().cost_per_1k_output_tokens == 0
    assert ModelPrice.objects.get().source == PriceSource.FREE


@pytest.mark.parametrize("change", [{"form-0-cost_per_1k_input_tokens": "-1"}, {"form-0-name": "there"}, {"form-0-context_window": "many"}])
def test_what_is_wrong_adds_none_of_them(admin: Client, monkeypatch: pytest.MonkeyPatch, change: dict[str, str]) -> None:
    provider = provider_of()
    served(monkeypatch, "one", "two")
    page = admin.post(list_of(provider), {"model": ["one", "two"]})
    ModelInfo.objects.create(provider=provider, name="there")

    answer = admin.post(list_of(provider), chosen_form(page) | change)

    assert answer.status_code == 200
    assert "office-error" in answer.content.decode()
    assert list(ModelInfo.objects.values_list("name", flat=True)) == ["there"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"form-1-name": "one"}, "This model is chosen twice."),
        ({"form-TOTAL_FORMS": "0"}, "No model was chosen."),
        ({"form-TOTAL_FORMS": "-5"}, "No model was chosen."),
    ],
)
def test_each_model_is_chosen_once_and_one_is_chosen_at_least(
    admin: Client, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], said: str
) -> None:
    provider = provider_of()
    served(monkeypatch, "one", "two")
    page = admin.post(list_of(provider), {"model": ["one", "two"]})

    answer = admin.post(list_of(provider), chosen_form(page) | change)

    assert said in answer.text
    assert not ModelInfo.objects.exists()
    assert not LogEntry.objects.exists()


def test_what_somebody_else_adds_meanwhile_is_there_already(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = provider_of()
    served(monkeypatch, "one")
    page = admin.post(list_of(provider), {"model": "one"})
    add = catalogue.add_models

    def late(*args: Any, **kwargs: Any) -> None:
        ModelInfo.objects.create(provider=provider, name="one", label="theirs")
        add(*args, **kwargs)

    monkeypatch.setattr("councils.admin.catalogue.add_models", late)
    answer = admin.post(list_of(provider), chosen_form(page))

    assert "This model is there already." in answer.text
    assert ModelInfo.objects.get().label == "theirs"
    assert not LogEntry.objects.exists()


def test_of_a_list_without_end_the_first_are_shown_and_the_page_says_so(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "MOST_OFFERS", 2)
    served(monkeypatch, "d", "b", "a", "c", "a")

    page = admin.post(list_of(provider_of()), ASK)

    assert [offer.name for offer in page.context["catalogue"].offers] == ["a", "b"]
    assert "serves 4 models" in page.text
    assert "Only the first 2 by name are shown." in page.text
    served(monkeypatch, "b", "a")
    assert "Only the first" not in admin.post(list_of(Provider.objects.get()), ASK).text


def test_a_provider_that_does_not_answer_says_why(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    served(monkeypatch, problem="The provider does not accept our key.")

    assert "OpenAI: The provider does not accept our key." in admin.post(list_of(provider_of()), ASK).content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_real_list_is_fetched_over_the_network(admin: Client, fake_provider: Running) -> None:
    provider = provider_of(base_url=f"{fake_provider.url}/v1", allow_private_address=True)

    page = admin.post(list_of(provider), ASK)

    assert page.context["catalogue"].problem == ""
    assert page.context["catalogue"].offers


def test_adding_from_a_list_takes_the_rights_to_both(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = provider_of()
    served(monkeypatch, "one")

    for rights in (("add_modelinfo",), ("check_provider",)):
        assert sign_in(staff_with(*rights)).post(list_of(provider), ASK).status_code == 403
    for right in ("check_provider", "change_provider"):
        assert sign_in(staff_with("add_modelinfo", right)).post(list_of(provider), ASK).status_code == 200


def test_opening_the_page_asks_nobody_and_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody's link leads a signed-in browser here, so that only the button may call out and mark the provider."""
    provider = provider_of()
    asked: list[Provider] = []
    monkeypatch.setattr(catalogue, "check_connections", asked.append)
    ensure_roles()
    manager = make_user(is_staff=True)
    manager.groups.add(Group.objects.get(name="Council manager"))

    page = sign_in(manager).get(list_of(provider))

    assert (page.status_code, asked) == (200, [])
    assert 'name="ask"' in page.text
    served(monkeypatch, "one")
    assert 'value="one"' in sign_in(manager).post(list_of(provider), ASK).text


def off(admin: Client, model: ModelInfo) -> Any:
    return admin.post("/admin/councils/modelinfo/", {"action": "deactivate", "_selected_action": [model.pk]}, follow=True)


def test_switching_a_model_off_names_the_councils_that_it_hits_first(admin: Client) -> None:
    council = make_council(name="Pricing board", seats=3)
    safe = make_council(name="Safe board", seats=4)
    safe.members.filter(position=4).update(model=council.chairman_model)
    make_council(name="Archived board", is_active=False)
    model = council.chairman_model

    page = off(admin, model)

    text = page.content.decode()
    assert "(seat Analyst, chairman): The council needs at least 3 answering seats and has 2. The council has no chairman." in text
    assert "Safe board</a> (seat Operator): goes on with what is left." in text
    assert "Archived board" not in text
    assert ModelInfo.objects.get(pk=model.pk).is_active
    admin.post(page.redirect_chain[-1][0])
    assert not ModelInfo.objects.get(pk=model.pk).is_active
    assert LogEntry.objects.get().change_message == "Switched off."


def test_telling_whom_it_hits_writes_nothing() -> None:
    model = make_council(seats=3).chairman_model

    with CaptureQueriesContext(connection) as queries:
        (hit,) = councils_hit([model.pk])

    assert hit.problems
    assert all(query["sql"].startswith("SELECT") for query in queries)


def test_switching_a_provider_off_tells_it_for_all_its_models(admin: Client) -> None:
    council = make_council(name="Pricing board")
    provider = council.chairman_model.provider

    page = admin.post("/admin/councils/provider/", {"action": "deactivate", "_selected_action": [provider.pk]}, follow=True)

    assert "1 could not be asked any more" in page.content.decode()
    admin.post(page.redirect_chain[-1][0])
    provider.refresh_from_db()
    assert not provider.is_active


def test_a_model_that_nobody_uses_is_switched_off_with_a_plain_question(admin: Client) -> None:
    page = off(admin, make_model())

    assert "No council that can be asked uses it." in page.content.decode()


def test_switching_off_takes_the_right_to_change() -> None:
    model = make_model()
    viewer = sign_in(staff_with("view_modelinfo", "view_provider"))

    for kind in ("modelinfo", "provider"):
        assert viewer.post(f"/admin/councils/{kind}/switch-off/?id={model.pk}").status_code == 403
    model.refresh_from_db()
    assert model.is_active
    assert not CouncilConfiguration.objects.exists()
