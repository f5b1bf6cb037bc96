"""The pages in French as a browser has them: chosen once and kept, no English, nothing too wide for the longer words."""

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from councils.models import CouncilConfiguration, User
from councils.tests import scenes
from councils.tests.browser import looking
from councils.tests.browser.support import PlayedSocket
from councils.tests.french import english_in

PASSWORD = "a long enough secret"


@pytest.fixture
def french(context: BrowserContext, live_server: LiveServer) -> BrowserContext:
    """ada's browser, which was told to speak French."""
    context.add_cookies([{"name": settings.LANGUAGE_COOKIE_NAME, "value": "fr", "url": live_server.url}])
    return context


@pytest.fixture
def paths(ada: User, council: CouncilConfiguration) -> list[str]:
    runs = [scenes.live(ada, council), scenes.contested(ada, council), scenes.failed(ada, council)]
    thread = scenes.long_conversation(ada, council)
    return ["/", "/conversations/", "/settings/", f"/conversations/{thread.public_id}/", *(f"/runs/{run.public_id}/" for run in runs)]


def test_main_pages_have_no_english_and_fit(french: BrowserContext, socket: PlayedSocket, tab: Page, paths: list[str]) -> None:
    faults = []
    for path in paths:
        tab.goto(path)
        tab.evaluate("document.querySelectorAll('main details').forEach((fold) => (fold.open = true))")
        faults += [f"{path}: {text}" for text in english_in(tab.content())]
        for width in (320, 390, 1440):
            tab.set_viewport_size({"width": width, "height": 900})
            faults += [f"{path} at {width}: {fault}" for fault in looking.too_wide(tab)]

    assert not faults, "\n".join(faults)


def test_french_is_chosen_once_and_stays(tab: Page, live_server: LiveServer, ada: User, council: CouncilConfiguration) -> None:
    tab.goto("/conversations/")
    tab.get_by_role("button", name="Français").click()
    heading = tab.get_by_role("heading", name="Pas encore de conversation")
    expect(heading).to_be_visible()
    assert tab.url == f"{live_server.url}/conversations/"

    tab.reload()
    expect(heading).to_be_visible()

    tab.get_by_role("button", name="Déconnexion").click()
    expect(tab.get_by_role("heading", name="Se connecter")).to_be_visible()
    tab.get_by_label("Nom d’utilisateur").fill("ada")
    tab.get_by_label("Mot de passe").fill(PASSWORD)
    tab.get_by_role("button", name="Se connecter").click()
    expect(tab.get_by_role("heading", name="À quoi le conseil doit-il répondre ?")).to_be_visible()


def test_another_device_speaks_it_after_the_sign_in(browser: Browser, live_server: LiveServer, ada: User) -> None:
    ada.prefer(language="fr")
    context = browser.new_context(base_url=live_server.url)
    page = context.new_page()
    page.goto("/sign-in/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.locator("input[name=username]").fill("ada")
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")

    expect(page.locator("html")).to_have_attribute("lang", "fr")
    context.close()


def test_language_and_settings_need_no_scripts(plain: Page, council: CouncilConfiguration) -> None:
    plain.goto("/settings/")
    plain.get_by_role("button", name="Français").click()
    expect(plain.get_by_role("heading", name="Vos réglages")).to_be_visible()

    plain.get_by_label("Conseil").select_option(label=council.name)
    plain.get_by_label("Langue").and_(plain.locator("select")).select_option(label="English")
    plain.get_by_role("button", name="Enregistrer").click()

    expect(plain.get_by_text("Your settings are saved.")).to_be_visible()
    expect(plain.get_by_label("Council")).to_have_value(str(council.pk))
