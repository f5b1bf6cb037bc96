"""The form of a council: folded where it is filled in, seats that are ready for chosen models."""

import pytest
from django.test import Client
from django.urls import reverse

from councils.models import CouncilConfiguration, CouncilMember
from councils.tests.admin.forms import council_form
from councils.tests.factories import make_council, make_model

pytestmark = pytest.mark.django_db

ADD = "/admin/councils/councilconfiguration/add/"


def folded(page: str) -> set[str]:
    """Sections that say in short what they hold, and are shut."""
    names = ("how-they-vote", "who-writes-the-result", "what-they-are-told", "limits")
    return {name for name in names if f'id="section-{name}">' in page}


def test_a_stored_council_folds_what_is_settled(admin: Client) -> None:
    page = admin.get(reverse("admin:councils_councilconfiguration_change", args=[make_council().pk])).content.decode()

    assert folded(page) == {"how-they-vote", "who-writes-the-result", "what-they-are-told", "limits"}
    assert "Ranked choice (instant run-off), anonymous review" in page
    assert "The built-in prompts" in page


def test_a_new_council_shows_what_must_be_filled_in(admin: Client) -> None:
    assert folded(admin.get(ADD).content.decode()) == {"how-they-vote", "what-they-are-told", "limits"}


def test_a_fault_unfolds_its_section(admin: Client) -> None:
    assert "limits" not in folded(admin.post(ADD, council_form(make_model(), quorum=9)).content.decode())


def test_fields_speak_the_products_words(admin: Client) -> None:
    page = admin.get(ADD).content.decode()

    assert "Stage1 prompt template" not in page
    for words in ("Prompt for opinions", "Prompt for the review", "Prompt for the synthesis", "Who sits"):
        assert words in page


def test_chosen_models_take_the_seats_of_a_new_council(admin: Client) -> None:
    models = [make_model(), make_model()]
    address = f"{ADD}?model={models[0].pk}&model={models[1].pk}&model=x"

    page = admin.get(address)
    seats = page.context["inline_admin_formsets"][0].formset

    assert [form["model"].value() for form in seats.forms] == [models[0].pk, models[1].pk, models[0].pk]
    assert page.context["adminform"].form["chairman_model"].value() == models[0].pk
    admin.post(address, council_form(models[0]))
    assert CouncilConfiguration.objects.get().members.count() == 3


def test_seats_that_were_left_as_they_were_filled_in_are_kept(admin: Client) -> None:
    model = make_model()
    filled = {f"{place}-name": f"Seat {place + 1}" for place in range(3)} | {f"{place}-position": place + 1 for place in range(3)}

    admin.post(f"{ADD}?model={model.pk}", council_form(model, members=filled))

    assert list(CouncilMember.objects.values_list("name", flat=True)) == ["Seat 1", "Seat 2", "Seat 3"]
