"""A person, a browser, the real server with its engine and sockets, and a provider over the network: one question from end to end."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

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

PATIENCE_MS = 60_000
# The slow one writes until the test has seen enough of it, and hurries then.
SEATS = ("tokens=900,rate=10,name=slow", "tokens=60,rate=60,name=steady", "tokens=20,name=quick", "fault=401,name=locked-out")


def database_url() -> str:
    """The database of the tests, for a server in a process of its own."""
    at = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{at['NAME']}"
    return f"postgres://{quote(at['USER'])}:{quote(at['PASSWORD'])}@{at['HOST']}:{at['PORT']}/{quote(at['NAME'])}"


@pytest.fixture
def site(transactional_db: None, tmp_path: Path) -> Iterator[Server]:
    kept = {name: os.environ[name] for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS")}
    server = Server(tmp_path / "server.log", environment=os.environ | settings_of(database_url()) | kept)
    server.start()
    yield server
    server.send(signal.SIGTERM)
    server.close()


@pytest.fixture
def council(provider: Running, transactional_db: None) -> CouncilConfiguration:
    return stage_council([fake_model(provider.url, behaviour) for behaviour in SEATS], min_models=3, soft_deadline_s=100)


@pytest.fixture
def provider(fake_provider: Running) -> Iterator[Running]:
    """The provider, in no hurry before the test says so."""
    yield fake_provider
    fake_provider.office.hurried = False


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
    assert faults.beside_lost_connections() == []


def ask(page: Page, question: str) -> str:
    """Ask it. Returns the address of the run."""
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/runs/*/")
    return page.url


def written(page: Page) -> str:
    """What the slowest member has written so far."""
    return page.locator('[data-draft="opinion:agent_1"]').text_content() or ""


def wait_for_writing(page: Page) -> str:
    expect(page.locator('[data-draft="opinion:agent_1"]')).to_contain_text(" ", timeout=PATIENCE_MS)
    return written(page)


def test_a_question_is_answered_before_one_s_eyes(person: Page, provider: Running) -> None:
    address = ask(person, "Which is best?")
    first = wait_for_writing(person)
    wait_for(person, lambda: len(now := written(person)) > len(first) and now.startswith(first), tries=600)

    # Who reloads, or looks with a second browser window, sees the text so far and what comes after it.
    person.reload()
    second = person.context.new_page()
    second.goto(address)
    for page in (person, second):
        assert wait_for_writing(page).startswith(first)
    expect(person.locator('[data-part="opinion:agent_4"]')).to_contain_text("The provider does not accept our key.")

    provider.office.hurried = True
    for page in (person, second):
        expect(page.locator(".answer .prose")).to_be_visible(timeout=PATIENCE_MS)
    run = CouncilRun.objects.get()
    assert run.status in {"succeeded", "partial"}
    for page in (person, second):
        assert (page.locator(".answer .prose").text_content() or "").split()[:5] == run.answer.split()[:5]
        expect(page.locator('[data-part^="opinion:"]')).to_have_count(len(SEATS))
    expect(person.locator("main")).to_contain_text("counted")

    person.get_by_label("Ask a follow-up").fill("And then?")
    person.keyboard.press("Control+Enter")
    person.wait_for_url(lambda url: "/runs/" in url and url != address)
    expect(person.locator(".answer .prose")).to_be_visible(timeout=PATIENCE_MS)
    assert CouncilRun.objects.latest("pk").conversation == run.conversation


def test_the_server_may_die_while_one_watches_and_writes(person: Page, site: Server, provider: Running) -> None:
    """The run goes on where it was, the viewer misses nothing, and a question that could not be sent is kept and sent later."""
    writer = person.context.new_page()
    writer.goto("/")
    ask(person, "Which is best?")
    wait_for_writing(person)
    site.send(signal.SIGKILL)
    expect(person.locator("#connection")).to_be_visible(timeout=PATIENCE_MS)
    writer.get_by_label("Your question").fill("Typed while nobody listened?")
    writer.keyboard.press("Control+Enter")
    expect(writer.get_by_text("It is kept here.")).to_be_visible(timeout=PATIENCE_MS)
    provider.office.hurried = True
    site.start()

    expect(person.locator(".answer .prose")).to_be_visible(timeout=PATIENCE_MS)
    expect(person.locator("#connection")).to_be_hidden()
    run = CouncilRun.objects.get()
    assert list(run.events.order_by("seq").values_list("seq", flat=True)) == list(range(1, run.next_seq))
    answers = dict(run.steps.filter(stage="opinions", status="done").values_list("key", "text"))
    assert answers
    for key, text in answers.items():
        shown = person.locator(f'[data-part="{key}"] .prose').text_content() or ""
        assert shown.split()[-3:] == text.split()[-3:]

    writer.reload()
    expect(writer.get_by_label("Your question")).to_have_value("Typed while nobody listened?")
    writer.get_by_label("Your question").press("Control+Enter")
    writer.wait_for_url("**/runs/*/")
    assert CouncilRun.objects.count() == 2


def test_signing_out_elsewhere_ends_the_view_and_a_phone_can_stop_the_answer(person: Page) -> None:
    person.set_viewport_size({"width": 390, "height": 844})
    address = ask(person, "Which is best?")
    wait_for_writing(person)
    other = person.context.new_page()
    other.goto("/conversations/")
    other.get_by_role("button", name="Sign out").click()
    other.wait_for_url("**/sign-in/**")
    person.wait_for_url("**/sign-in/?next=/runs/*/", timeout=PATIENCE_MS)

    person.get_by_label("Username").fill("ada")
    person.get_by_label("Password").fill("a long enough secret")
    person.get_by_role("button", name="Sign in").click()
    person.wait_for_url(address)
    person.get_by_role("button", name="Cancel").click()
    expect(person.get_by_role("heading", name="This run was cancelled")).to_be_visible(timeout=PATIENCE_MS)
    assert CouncilRun.objects.get().status == "cancelled"
