"""The look that a visitor chooses: kept by the browser, known to the server, never anything else than one of three."""

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from councils.models import CouncilConfiguration, User
from councils.tests.factories import make_run

PATHS = ["/", "/conversations/", "/sign-in/", "/nothing-here/"]


def look(client: Client, path: str) -> tuple[bool, bool, bool]:
    """Whether the page says that it is the system's, light, dark."""
    text = client.get(path, follow=True).text
    system, light, dark = (f'data-theme="{name}"' in text for name in ("system", "light", "dark"))
    return system, light, dark


@pytest.mark.parametrize("path", PATHS)
def test_without_a_choice_the_device_decides(page: Client, path: str) -> None:
    assert look(page, path) == (True, False, False)


@pytest.mark.parametrize("path", PATHS)
def test_the_choice_holds_on_every_page_from_its_first_byte(page: Client, path: str) -> None:
    page.post("/theme/", {"theme": "dark"})

    assert look(page, path) == (False, False, True)
    assert '<meta name="color-scheme" content="dark">' in page.get(path, follow=True).text


def test_a_stranger_may_choose_too(client: Client, db: None) -> None:
    client.post("/theme/", {"theme": "light", "next": "/sign-in/"})

    assert look(client, "/sign-in/") == (False, True, False)


def test_the_choice_outlives_signing_out(page: Client) -> None:
    page.post("/theme/", {"theme": "dark"})
    page.post("/sign-out/")

    assert look(page, "/sign-in/") == (False, False, True)


def test_back_to_the_device_nothing_is_kept(page: Client) -> None:
    page.post("/theme/", {"theme": "dark"})
    page.post("/theme/", {"theme": "system"})

    assert page.cookies["theme"].value == ""
    assert look(page, "/") == (True, False, False)


@pytest.mark.parametrize("value", ["", "Dark", '"><script>alert(1)</script>', "x" * 3000])
def test_no_other_value_is_kept_or_believed(page: Client, value: str) -> None:
    page.post("/theme/", {"theme": value})
    assert "theme" not in page.cookies

    page.cookies["theme"] = value
    assert look(page, "/") == (True, False, False)


def test_no_script_reads_the_cookie_and_no_other_site_sends_it(page: Client, settings: Settings) -> None:
    settings.SESSION_COOKIE_SECURE = True
    page.post("/theme/", {"theme": "dark"})

    cookie = page.cookies["theme"]
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"], cookie["max-age"]) == (True, True, "Lax", 365 * 86_400)


def test_the_same_page_is_shown_again(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council)
    text = page.get(f"/runs/{run.public_id}/?from=mail").text

    assert f'<input type="hidden" name="next" value="/runs/{run.public_id}/?from=mail">' in text
    assert page.post("/theme/", {"theme": "dark", "next": "/runs/x/?from=mail"})["Location"] == "/runs/x/?from=mail"


def test_the_pressed_button_is_the_one_in_force(page: Client) -> None:
    page.post("/theme/", {"theme": "light"})

    text = page.get("/").text
    assert 'value="light" aria-pressed="true"' in text
    assert text.count('name="theme"') == 3
    assert [value for value in ("system", "light", "dark") if f'value="{value}" aria-pressed="true"' in text] == ["light"]


def test_browsers_that_ask_for_an_icon_unasked_get_one(client: Client) -> None:
    response = client.get("/favicon.ico")

    assert response["Location"] == "/static/councils/icon.svg"
    assert "max-age=86400" in response["Cache-Control"]
