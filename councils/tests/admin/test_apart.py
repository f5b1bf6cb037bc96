"""Rows of one record that must differ: what somebody else stored since the form was opened, and rows that change places."""

import pytest
from django.test import Client
from django.urls import reverse

from councils.models import CouncilConfiguration, Provider
from councils.tests.admin.forms import council_form, endpoint_rows, provider_form_of, sent
from councils.tests.factories import make_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def council(admin: Client) -> CouncilConfiguration:
    admin.post("/admin/councils/councilconfiguration/add/", council_form(make_model("plain")))
    return CouncilConfiguration.objects.get()


def address(council: CouncilConfiguration) -> str:
    return reverse("admin:councils_councilconfiguration_change", args=[council.pk])


def agents(council: CouncilConfiguration) -> list[str]:
    return list(council.members.order_by("pk").values_list("agent_id", flat=True))


def test_two_who_each_add_a_seat_without_an_id_both_get_one(admin: Client, council: CouncilConfiguration) -> None:
    forms = [
        council_form(council.chairman_model, stored=council, seats=4, members={"3-agent_id": "", "3-name": name}) for name in ("Ann", "Bee")
    ]

    assert [admin.post(address(council), form).status_code for form in forms] == [302, 302]
    assert agents(council)[3:] == ["agent_4", "agent_5"]


def test_an_id_that_somebody_else_gave_meanwhile_is_a_message_at_its_field(admin: Client, council: CouncilConfiguration) -> None:
    form = council_form(council.chairman_model, stored=council, seats=4)
    admin.post(address(council), form)

    answer = admin.post(address(council), form)

    assert "Another seat of this council has this already." in answer.text
    assert len(agents(council)) == 4


def test_seats_may_swap_their_ids(admin: Client, council: CouncilConfiguration) -> None:
    swapped = {"0-agent_id": "agent_2", "1-agent_id": "agent_3", "2-DELETE": "on", "3-agent_id": "agent_1"}
    form = council_form(council.chairman_model, stored=council, seats=5, members=swapped)

    assert admin.post(address(council), form).status_code == 302
    assert agents(council) == ["agent_2", "agent_3", "agent_1", "agent_5"]


def test_a_substitute_that_is_there_already_is_a_message_at_its_field(admin: Client, council: CouncilConfiguration) -> None:
    row = {"chairman_fallbacks-TOTAL_FORMS": 1, "chairman_fallbacks-0-model": make_model().pk, "chairman_fallbacks-0-position": 1}
    form = council_form(council.chairman_model, stored=council) | sent(**row)
    admin.post(address(council), form)

    answer = admin.post(address(council), form)

    assert "Another substitute of this council has this already." in answer.text
    assert council.chairman_fallbacks.count() == 1


def test_substitutes_that_swap_their_models_are_told_how(admin: Client, council: CouncilConfiguration) -> None:
    rows = [council.chairman_fallbacks.create(model=make_model(), position=place) for place in range(2)]
    table = {"chairman_fallbacks-TOTAL_FORMS": 2, "chairman_fallbacks-INITIAL_FORMS": 2}
    for place, row in enumerate(rows):
        other = rows[1 - place].model_id
        table |= {f"chairman_fallbacks-{place}-{name}": value for name, value in (("id", row.pk), ("model", other), ("position", place))}

    answer = admin.post(address(council), council_form(council.chairman_model, stored=council) | sent(**table))

    assert "Another substitute of this council has this already." in answer.text


def test_a_row_may_take_what_another_gives_up(admin: Client, council: CouncilConfiguration) -> None:
    old = council.chairman_fallbacks.create(model=make_model(), position=0)
    table: dict[str, object] = {"TOTAL_FORMS": 2, "INITIAL_FORMS": 1, "0-id": old.pk, "0-model": old.model_id, "0-position": 0}
    table |= {"0-DELETE": True, "1-model": old.model_id, "1-position": 1}
    rows = {f"chairman_fallbacks-{name}": value for name, value in table.items()}

    assert admin.post(address(council), council_form(council.chairman_model, stored=council) | sent(**rows)).status_code == 302
    assert council.chairman_fallbacks.get().position == 1


def test_an_address_that_is_there_already_is_a_message_at_its_field(admin: Client, council: CouncilConfiguration) -> None:
    provider = Provider.objects.get()
    form = provider_form_of(provider, base_url="https://api.acme.example/v1") | sent(**endpoint_rows({"base_url": "https://a.example/v1"}))
    there = reverse("admin:councils_provider_change", args=[provider.pk])
    admin.post(there, form)

    answer = admin.post(there, form)

    assert "Another address of this provider has this already." in answer.text
    assert provider.endpoints.count() == 1
