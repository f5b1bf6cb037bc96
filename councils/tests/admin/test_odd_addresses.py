"""Addresses that nobody links to, and what they name in vain."""

import pytest
from django.test import Client

from councils.models import Budget
from councils.tests.admin.test_budget import BUDGETS, budget_form

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("scope", "value"), [("user", "abc"), ("council", "9" * 30), ("api_key", "\x00")])
def test_a_budget_for_what_cannot_be_named_is_for_nobody_yet(admin: Client, scope: str, value: str) -> None:
    shown = admin.get(f"{BUDGETS}add/", {scope: value})
    answer = admin.post(f"{BUDGETS}add/", budget_form(**{scope: value}))

    assert (shown.status_code, answer.status_code) == (200, 200)
    assert not Budget.objects.exists()


def test_looking_for_what_no_text_holds_finds_as_without_it(admin: Client) -> None:
    asked = {"app_label": "councils", "model_name": "budget", "field_name": "user", "term": "ro\x00ot"}

    answer = admin.get("/admin/autocomplete/", asked)

    assert [row["text"] for row in answer.json()["results"]] == ["root"]


def test_an_action_on_what_no_row_can_be_called_chooses_nothing(admin: Client) -> None:
    answer = admin.post(BUDGETS, {"action": "delete_selected", "_selected_action": ["abc", "\x00", "9" * 30], "post": "yes"})

    assert answer.status_code in {200, 302}
