"""The language of the pages: the reader's choice, else the browser's, and English for programs and the admin."""

from collections.abc import Mapping

import pytest
from django.conf import settings as site
from django.test import Client
from django.utils.translation import get_language
from pytest_django.fixtures import Settings

from councils.models import User
from councils.models.user import Language
from councils.tests.factories import make_user

FRENCH = {"Accept-Language": "fr-CH, fr;q=0.9, en;q=0.8"}
PASSWORD = "a long enough secret"


def is_french(client: Client, path: str = "/", *, headers: Mapping[str, str] | None = None) -> bool:
    return '<html lang="fr"' in client.get(path, follow=True, headers=headers).text


def test_the_site_and_the_accounts_know_the_same_languages() -> None:
    assert Language.choices == site.LANGUAGES


def test_without_a_choice_the_browser_decides(client: Client, db: None) -> None:
    assert is_french(client, "/sign-in/", headers=FRENCH)
    assert not is_french(client, "/sign-in/", headers={"Accept-Language": "de, it;q=0.5"})
    assert not is_french(client, "/sign-in/")


def test_a_choice_wins_over_the_browser(client: Client, db: None) -> None:
    client.post("/language/", {"language": "en"})

    assert not is_french(client, "/sign-in/", headers=FRENCH)


@pytest.mark.parametrize("path", ["/", "/conversations/", "/settings/", "/nothing-here/"])
def test_a_choice_holds_on_every_page(page: Client, path: str) -> None:
    page.post("/language/", {"language": "fr"})

    assert is_french(page, path)


def test_the_same_page_is_shown_again_and_no_other_site(page: Client) -> None:
    assert page.post("/language/", {"language": "fr", "next": "/conversations/?q=a"})["Location"] == "/conversations/?q=a"
    assert page.post("/language/", {"language": "fr", "next": "https://evil.example/"})["Location"] == "/"


def test_the_account_keeps_it_for_other_devices(client: Client, page: Client, ada: User) -> None:
    page.post("/language/", {"language": "fr"})
    elsewhere = Client()
    assert not is_french(elsewhere, "/sign-in/")

    elsewhere.post("/sign-in/", {"username": "ada", "password": PASSWORD})

    assert is_french(elsewhere)
    elsewhere.post("/sign-out/")
    assert is_french(elsewhere, "/sign-in/")


def test_somebody_else_who_signs_in_here_gets_the_language_of_their_account(page: Client) -> None:
    make_user("eve").prefer(language="en")
    page.post("/language/", {"language": "fr"})
    page.post("/sign-out/")

    page.post("/sign-in/", {"username": "eve", "password": PASSWORD})

    assert not is_french(page)


def test_a_new_account_keeps_what_its_visitor_had_chosen(client: Client, db: None, settings: Settings) -> None:
    settings.SIGNUP_ENABLED = True
    client.post("/language/", {"language": "fr"})

    client.post("/sign-up/", {"username": "eve", "password1": PASSWORD, "password2": PASSWORD})

    assert User.objects.get().language == "fr"


@pytest.mark.parametrize("value", ["", "FR", "de", '"><script>', "x" * 3000])
def test_no_other_value_is_kept_or_believed(page: Client, ada: User, value: str) -> None:
    page.post("/language/", {"language": value})
    assert "language" not in page.cookies
    assert User.objects.get(pk=ada.pk).language == ""

    page.cookies["language"] = value
    assert page.get("/").status_code == 200


def test_looking_changes_nothing(page: Client) -> None:
    assert page.get("/language/?language=fr").status_code == 405
    assert "language" not in page.cookies


def test_no_script_reads_the_cookie_and_no_other_site_sends_it(page: Client, settings: Settings) -> None:
    settings.SESSION_COOKIE_SECURE = True
    page.post("/language/", {"language": "fr"})

    cookie = page.cookies["language"]
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"], cookie["max-age"]) == (True, True, "Lax", 365 * 86_400)


def test_each_language_is_offered_by_its_own_name_and_says_which_it_is(page: Client) -> None:
    text = page.get("/").text

    assert 'value="en" lang="en" aria-pressed="true">English<' in text
    assert 'value="fr" lang="fr" aria-pressed="false">Français<' in text


def test_programs_read_english_whatever_they_accept(page: Client) -> None:
    answer = page.post("/api/v1/runs/", {}, content_type="application/json", headers=FRENCH)

    assert "This field is required." in answer.text
    assert answer["Content-Language"] == "en"


def test_the_admin_is_english_for_everybody(client: Client, db: None) -> None:
    boss = User.objects.create_superuser("boss", password=PASSWORD)
    boss.prefer(language="fr")
    client.force_login(boss)

    text = client.get("/admin/", headers=FRENCH).text

    assert '<html lang="en"' in text
    assert "Déconnexion" not in text


def test_what_follows_in_the_same_thread_is_in_nobodys_language(client: Client, db: None) -> None:
    assert is_french(client, "/sign-in/", headers=FRENCH)

    assert get_language() == "en"


def test_a_page_after_the_admin_is_in_the_readers_language_again(page: Client, ada: User) -> None:
    page.post("/language/", {"language": "fr"})
    page.get("/api/v1/runs/nothing/")

    assert is_french(page)
