"""The page on which people set what concerns only them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.db import IntegrityError
from django.db.models.signals import pre_save
from django.test import Client

from councils.models import CouncilConfiguration, User
from councils.tests.factories import make_council, make_run

PASSWORD = "a long enough secret"
NEW_PASSWORD = "an even longer secret"


def save(client: Client, **fields: str) -> int:
    return client.post("/settings/", {"language": "", "theme": "system", "default_council": "", **fields}).status_code


def test_strangers_are_sent_to_sign_in(client: Client, db: None) -> None:
    assert client.get("/settings/")["Location"] == "/sign-in/?next=/settings/"
    assert client.get("/settings/password/")["Location"] == "/sign-in/?next=/settings/password/"


def test_everything_is_kept_at_the_account_and_in_the_browser(page: Client, ada: User, council: CouncilConfiguration) -> None:
    assert save(page, language="fr", theme="dark", default_council=str(council.pk)) == 302

    ada.refresh_from_db()
    assert (ada.language, ada.theme, ada.default_council) == ("fr", "dark", council)
    assert (page.cookies["language"].value, page.cookies["theme"].value) == ("fr", "dark")


def test_that_it_was_saved_is_said(page: Client) -> None:
    save(page)

    assert "Your settings are saved." in page.get("/settings/").text


def test_what_a_browser_keeps_shows_where_the_account_knows_nothing(client: Client, ada: User) -> None:
    client.post("/language/", {"language": "fr"})
    client.force_login(ada)

    assert '<option value="fr" selected>' in client.get("/settings/").text


def test_it_is_said_in_the_language_that_was_chosen(page: Client) -> None:
    save(page, language="fr")
    assert "Vos réglages sont enregistrés." in page.get("/settings/").text

    accepted = {"Accept-Language": "de, en-GB;q=0.5"}
    page.post("/settings/", {"language": "", "theme": "system", "default_council": ""}, headers=accepted)
    assert "Your settings are saved." in page.get("/settings/", headers=accepted).text


def test_taken_back_the_browser_decides_again(page: Client, ada: User) -> None:
    save(page, language="fr", theme="dark")
    save(page)

    ada.refresh_from_db()
    assert (ada.language, ada.theme) == ("", "system")
    assert (page.cookies["language"].value, page.cookies["theme"].value) == ("", "")


@pytest.mark.parametrize("fields", [{"language": "de"}, {"theme": "pink"}, {"theme": ""}, {"default_council": "999999"}])
def test_what_does_not_exist_is_refused_and_nothing_is_kept(page: Client, ada: User, fields: dict[str, str]) -> None:
    assert save(page, **fields) == 400

    ada.refresh_from_db()
    assert (ada.language, ada.theme, ada.default_council) == ("", "", None)
    assert 'class="error"' in page.post("/settings/", {"theme": "dark", "language": "", **fields}).text


def test_a_council_that_is_switched_off_cannot_become_the_default(page: Client, council: CouncilConfiguration) -> None:
    resting = make_council(slug="resting", is_active=False)

    assert "resting" not in page.get("/settings/").text
    assert save(page, default_council=str(resting.pk)) == 400


def test_the_database_takes_no_other_language_or_look(ada: User) -> None:
    with pytest.raises(IntegrityError):
        User.objects.update(language="de")


def test_a_default_that_is_deleted_is_forgotten(page: Client, ada: User, council: CouncilConfiguration) -> None:
    save(page, default_council=str(council.pk))
    council.delete()

    ada.refresh_from_db()
    assert ada.default_council is None
    assert page.get("/").status_code == 200


def test_the_look_chosen_at_the_foot_is_kept_at_the_account_too(page: Client, ada: User) -> None:
    page.post("/theme/", {"theme": "dark"})

    ada.refresh_from_db()
    assert ada.theme == "dark"
    elsewhere = Client()
    elsewhere.post("/sign-in/", {"username": "ada", "password": PASSWORD})
    assert 'data-theme="dark"' in elsewhere.get("/").text


def change_password(client: Client, **fields: str) -> int:
    data = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD, **fields}
    return client.post("/settings/password/", data).status_code


def test_a_changed_password_keeps_this_device_and_signs_the_others_out(page: Client, ada: User) -> None:
    elsewhere = Client()
    elsewhere.force_login(ada)

    assert change_password(page) == 302

    assert page.get("/settings/").status_code == 200
    assert elsewhere.get("/settings/").status_code == 302
    assert Client().post("/sign-in/", {"username": "ada", "password": NEW_PASSWORD}).status_code == 302


@pytest.mark.parametrize("form", [save, change_password])
def test_an_account_that_is_switched_off_at_the_same_moment_stays_so(page: Client, ada: User, form: Callable[[Client], int]) -> None:
    def switch_off(instance: User, **_: Any) -> None:
        User.objects.filter(pk=instance.pk).update(is_active=False, email="changed@example.org")

    pre_save.connect(switch_off, sender=User)
    try:
        assert form(page) == 302
    finally:
        pre_save.disconnect(switch_off, sender=User)

    ada.refresh_from_db()
    assert (ada.is_active, ada.email) == (False, "changed@example.org")


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"old_password": "wrong"}, "old password was entered incorrectly"),
        ({"new_password2": "something else"}, "match"),
        ({"new_password1": "short", "new_password2": "short"}, "too short"),
    ],
)
def test_a_password_that_cannot_be_says_why(page: Client, ada: User, fields: dict[str, str], complaint: str) -> None:
    assert change_password(page, **fields) == 200

    assert (
        complaint
        in page.post(
            "/settings/password/", {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD, **fields}
        ).text
    )
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)
    assert SESSION_KEY in page.session


def test_the_default_is_chosen_on_the_first_page_whatever_was_chosen_last(page: Client, ada: User, council: CouncilConfiguration) -> None:
    other = make_council(slug="other")
    make_run(owner=ada, council=council, council_chosen=True)
    assert f'value="{council.slug}" checked' in " ".join(page.get("/").text.split())

    save(page, default_council=str(other.pk))

    assert 'value="other" checked' in " ".join(page.get("/").text.split())
