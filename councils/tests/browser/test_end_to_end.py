"""A person, a browser, the real server with its engine and sockets, and a provider over the network: one question from end to end."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from playwright.sync_api import Browser, Page, expect
from pytest_django.fixtures import Settings

from benchmarks.fake.server import Running
from benchmarks.kill import settings_of
from benchmarks.killing import Server
from benchmarks.staging import fake_model, stage_council
from councils.models import CouncilConfiguration, CouncilRun, User
from councils.tests.browser.support import Faults, wait_for
from councils.tests.factories import make_user

PATIENCE_MS = 30_000
SEATS = ("tokens=120,rate=60,name=slow", "tokens=60,rate=60,name=steady", "tokens=20,name=quick", "fault=401,name=locked-out")


@pytest.fixture
def site(transactional_db: None, tmp_path: Path) -> Iterator[Server]:
    if connection.vendor != "sqlite":
        pytest.skip("The server of this test works on the SQLite file of the tests.")
    kept = {name: os.environ[name] for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS")}
    server = Server(tmp_path / "server.log", environment=os.environ | settings_of(f"sqlite:///{connection.settings_dict['NAME']}") | kept)
    server.start()
    yield server
    server.send(signal.SIGTERM)
    server.close()


@pytest.fixture
def council(fake_provider: Running, transactional_db: None) -> CouncilConfiguration:
    return stage_council([fake_model(fake_provider.url, behaviour) for behaviour in SEATS], min_models=3)


@pytest.fixture
def ada(transactional_db: None, settings: Settings) -> User:
    """Her password is stored as the real site stores it, not by the quick way of the tests."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    return make_user("ada")


@pytest.fixture
def person(browser: Browser, site: Server, ada: User, council: CouncilConfiguration) -> Iterator[Page]:
    """Ada, who has just opened the site and signed in."""
    home = f"http://127.0.0.1:{site.port}"
    context = browser.new_context(base_url=home)
    context.set_default_timeout(PATIENCE_MS)
    faults = Faults(context, home)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("a long enough secret")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible(timeout=PATIENCE_MS)
    yield page
    context.close()
    # What a browser says of a server that is not there is true, and not a fault of the page.
    assert [fault for fault in faults.seen if "ERR_CONNECTION" not in fault] == []


def ask(page: Page, question: str) -> None:
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/runs/*/")


def test_a_question_is_answered_before_one_s_eyes(person: Page) -> None:
    ask(person, "Which is best?")

    draft = person.locator('[data-draft="opinion:agent_1"]')
    expect(draft).to_contain_text(" ", timeout=PATIENCE_MS)
    first = draft.text_content() or ""
    # More of it comes, after what was there.
    wait_for(person, lambda: len(now := draft.text_content() or "") > len(first) and now.startswith(first))
    expect(person.locator('[data-part="opinion:agent_4"]')).to_contain_text("The provider does not accept our key.")

    expect(person.locator(".answer .prose")).to_be_visible(timeout=PATIENCE_MS)
    run = CouncilRun.objects.get()
    expect(person.locator(".summary")).to_contain_text("counted")
    assert (person.locator(".answer .prose").text_content() or "").split()[:5] == run.answer.split()[:5]
    assert run.status in {"succeeded", "partial"}


def test_a_cancelled_question_stops(person: Page) -> None:
    ask(person, "Which is best?")
    expect(person.locator('[data-part="opinion:agent_1"] .state')).to_contain_text("writing")
    person.get_by_role("button", name="Cancel").click()

    expect(person.get_by_role("heading", name="This run was cancelled")).to_be_visible(timeout=PATIENCE_MS)
    assert CouncilRun.objects.get().status == "cancelled"


def test_the_server_may_die_while_one_watches(person: Page, site: Server) -> None:
    ask(person, "Which is best?")
    expect(person.locator('[data-part="opinion:agent_1"] .state')).to_contain_text("writing")
    site.send(signal.SIGKILL)
    expect(person.locator("#connection")).to_be_visible(timeout=PATIENCE_MS)
    site.start()

    expect(person.locator(".answer .prose")).to_be_visible(timeout=PATIENCE_MS)
