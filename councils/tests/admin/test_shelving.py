"""Putting councils away asks first, and can be undone."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from councils.models import CouncilConfiguration
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.factories import make_council

pytestmark = pytest.mark.django_db

LIST = "/admin/councils/councilconfiguration/"


def archived() -> set[str]:
    return set(CouncilConfiguration.objects.exclude(archived_at=None).values_list("name", flat=True))


def listed(admin: Client, query: str = "") -> set[str]:
    return {council.name for council in admin.get(f"{LIST}{query}").context["cl"].result_list}


def test_archiving_asks_first_and_keeps_the_default(admin: Client) -> None:
    default, other = make_council(name="Default", is_default=True), make_council(name="Other")

    page = admin.post(LIST, {"action": "archive", "_selected_action": [default.pk, other.pk]}, follow=True)

    assert "The default council cannot be archived." in page.content.decode()
    assert archived() == set()
    admin.post(page.redirect_chain[-1][0])
    assert archived() == {"Other"}
    assert LogEntry.objects.get().change_message == "Archived."


def test_what_was_archived_is_out_of_the_list_and_can_be_taken_back_as_it_was(admin: Client) -> None:
    on, off = make_council(name="On"), make_council(name="Off", is_active=False)
    query = f"?id={on.pk}&id={off.pk}"

    done = admin.post(f"{LIST}archive/{query}", follow=True).content.decode()
    assert listed(admin) == set()
    assert listed(admin, "?shelf=archived") == {"On", "Off"}
    back = re.search(r'href="([^"]*/restore/[^"]*)"', done)
    assert back is not None
    assert archived() == {"On", "Off"}
    admin.post(back[1].replace("&amp;", "&"))

    assert archived() == set()
    assert dict(CouncilConfiguration.objects.values_list("name", "is_active")) == {"On": True, "Off": False}


def test_a_look_at_the_question_changes_nothing(admin: Client) -> None:
    council = make_council()

    for page in ("archive", "restore"):
        assert admin.get(f"{LIST}{page}/?id={council.pk}&id=x&id={'9' * 40}").status_code == 200
    assert archived() == set()


def test_archiving_takes_the_right_to_change_councils() -> None:
    council = make_council()
    viewer = sign_in(staff_with("view_councilconfiguration"))

    for page in ("archive", "restore"):
        assert viewer.post(f"{LIST}{page}/?id={council.pk}").status_code == 403
    assert archived() == set()
    assert sign_in(staff_with("change_councilconfiguration")).post(f"{LIST}archive/?id={council.pk}").status_code == 302


def test_the_first_council_that_comes_back_is_the_default_where_there_is_none(admin: Client) -> None:
    council = make_council()
    admin.post(f"{LIST}archive/?id={council.pk}")

    admin.post(f"{LIST}restore/?id={council.pk}")

    assert CouncilConfiguration.objects.get().is_default
