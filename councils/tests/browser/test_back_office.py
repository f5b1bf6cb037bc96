"""Staff at work in a browser, with the real server, its engine and a provider over the network: from nothing to a council that answers."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.fixtures import Settings

from benchmarks.fake.server import Running
from benchmarks.kill import settings_of
from benchmarks.killing import Server
from benchmarks.staging import fake_model, stage_council
from councils.models import CouncilConfiguration, CouncilRun, ModelInfo, PromptTemplate, User
from councils.services.keys import issue_key
from councils.tests.browser.support import Faults
from councils.tests.browser.test_end_to_end import PATIENCE_MS, database_url
from councils.tests.factories import make_user

SECRET = "a long enough secret"
MODELS = ("fake:tokens=30,rate=400", "fake:tokens=20,rate=400")


@pytest.fixture
def site(transactional_db: None, tmp_path: Path) -> Iterator[Server]:
    kept = {name: os.environ[name] for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS")}
    server = Server(tmp_path / "server.log", environment=os.environ | settings_of(database_url()) | kept)
    server.start()
    yield server
    server.send(signal.SIGTERM)
    server.close()


@pytest.fixture
def office(browser: Browser, site: Server, settings: Settings) -> Iterator[Page]:
    """Somebody who runs the place, signed in."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    make_user("root", password=SECRET, is_staff=True, is_superuser=True)
    home = f"http://127.0.0.1:{site.port}"
    context = browser.new_context(base_url=home, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    faults = Faults(context, home)
    page = context.new_page()
    page.goto("/admin/")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill(SECRET)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/admin/")
    yield page
    context.close()
    assert faults.seen == []


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_load_state()


def follow(page: Page, name: str) -> None:
    page.locator("#content, #content-main, .office").get_by_role("link", name=name, exact=True).first.click()
    page.wait_for_load_state()


def set_up_a_provider(page: Page, address: str) -> None:
    page.goto("/admin/councils/provider/add/")
    page.locator("#id_name").fill("Acme")
    page.locator("#id_slug").fill("acme")
    page.locator("#id_kind").select_option("openai")
    page.locator("#id_base_url").fill(address)
    page.locator("#id_allow_private_address").check(force=True)
    press(page, "Save")
    page.goto("/admin/councils/provider/")
    page.locator("input[name=_selected_action]").first.check()
    page.locator("select[name=action]").select_option("test_connection")
    page.evaluate("document.getElementById('changelist-form').requestSubmit()")
    expect(page.get_by_text(re.compile("Acme answered in .* and serves"))).to_be_visible()


def add_models_from_its_list(page: Page) -> None:
    page.goto("/admin/councils/provider/")
    page.get_by_role("link", name="Acme", exact=True).first.click()
    follow(page, "Add models from its own list…")
    press(page, "Ask for its models")
    boxes = page.locator("input[name=model]:enabled")
    boxes.first.check()
    press(page, "Go on with what is chosen")
    for name in ("input", "output"):
        page.locator(f"#id_form-0-cost_per_1k_{name}_tokens").fill("0.001")
    press(page, "Add 1 model")
    expect(page.get_by_text("1 added to Acme.")).to_be_visible()


def set_up_a_council(page: Page, model: ModelInfo) -> None:
    page.goto("/admin/councils/councilconfiguration/add/")
    page.locator("#id_name").fill("Quick")
    page.locator("#id_slug").fill("quick")
    for place, name in enumerate(("Analyst", "Skeptic", "Customer")):
        page.locator(f"#id_members-{place}-name").fill(name)
        page.locator(f"#id_members-{place}-model").select_option(str(model.pk))
    page.locator("#id_chairman_model").select_option(str(model.pk))
    page.get_by_role("heading", name="Limits").click()
    page.locator("#id_quorum").fill("9")
    press(page, "Save")
    expect(page.get_by_role("alert").get_by_role("link", name="Quorum")).to_be_visible()
    page.locator("#id_quorum").fill("2")
    # The Skeptic speaks first, by keyboard alone.
    page.get_by_role("button", name="Move Skeptic up").focus()
    page.keyboard.press("Enter")
    press(page, "Save")
    page.wait_for_url("**/councilconfiguration/")


def test_from_a_provider_to_a_council_that_answers(office: Page, fake_provider: Running) -> None:
    page = office
    set_up_a_provider(page, f"{fake_provider.url}/v1")
    add_models_from_its_list(page)
    # The fake provider behaves as the name of the model says; its list names none that is quick.
    model = ModelInfo.objects.get()
    ModelInfo.objects.filter(pk=model.pk).update(name=MODELS[0])
    set_up_a_council(page, model)
    council = CouncilConfiguration.objects.get()
    assert [seat.name for seat in council.members.all()] == ["Skeptic", "Analyst", "Customer"]

    page.goto(f"/admin/councils/councilconfiguration/{council.pk}/change/")
    page.locator("#id_members-0-persona").fill("You doubt everything.")
    press(page, "Keep as a draft")
    expect(page.get_by_text("Nobody is asked by it until you publish it.")).to_be_visible()
    follow(page, "Try it…")
    page.locator("#id_question").fill("Which is best?")
    press(page, "Show what it will cost")
    expect(page.get_by_text("What it will cost: 1 question, 2 runs")).to_be_visible()
    press(page, "Ask now")
    watched = page.context.new_page()
    watched.goto(page.get_by_role("link", name=re.compile("Watch it live|See how they got there")).first.get_attribute("href") or "")
    expect(watched.locator(".answer .prose")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("● Ended.")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".trial-answer")).to_have_count(2)
    assert set(CouncilRun.objects.values_list("trial", "status")) == {(True, "succeeded")}
    page.goto(page.url)
    page.get_by_role("link", name="Publish the draft…").click()
    press(page, "Publish")
    expect(page.get_by_role("link", name="Take it back…")).to_be_visible()
    assert council.members.get(name="Skeptic").persona == "You doubt everything."

    page.goto("/")
    page.get_by_label("Your question").fill("And which is worst?")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/runs/*/")
    expect(page.locator(".answer .prose")).to_be_visible(timeout=PATIENCE_MS)
    assert CouncilRun.objects.real().get().config_snapshot["spec"]["seats"][0]["persona"] == "You doubt everything."
    page.goto("/conversations/")
    expect(page.get_by_text("And which is worst?").first).to_be_visible()
    expect(page.get_by_text("Which is best?")).to_have_count(0)


def test_a_prompt_is_changed_compared_and_rolled_back(office: Page, fake_provider: Running) -> None:
    page = office
    first = PromptTemplate.objects.add_version(stage="opinions", name="brief", text="Be brief. {question}")
    council = stage_council([fake_model(fake_provider.url, "tokens=10,rate=900")] * 3, stage1_prompt_template=first)

    page.goto(f"/admin/councils/prompttemplate/{first.pk}/change/")
    follow(page, "Write a new version from this one")
    page.locator("#id_text").fill("Be brief.")
    press(page, "Save")
    expect(page.get_by_text("The opinions prompt lacks {question}").first).to_be_visible()
    page.locator("#id_text").fill("Be very brief. {question}")
    press(page, "Save")
    follow(page, "with the version before")
    expect(page.locator(".diff ins")).to_have_text(re.compile(r"\s*very\s*"))
    page.go_back()
    press(page, "Publish version 2…")
    press(page, "Publish version 2")
    assert CouncilConfiguration.objects.get(pk=council.pk).stage1_prompt_template_id != first.pk

    page.goto(f"/admin/councils/prompttemplate/{first.pk}/change/")
    press(page, "Roll back to version 1…")
    expect(page.get_by_text("version 2 → version 1")).to_be_visible()
    press(page, "Roll back to version 1")
    assert CouncilConfiguration.objects.get(pk=council.pk).stage1_prompt_template_id == first.pk
    assert PromptTemplate.objects.count() == 2


def test_a_key_that_is_revoked_opens_nothing_any_more(office: Page, site: Server) -> None:
    page = office
    _, token = issue_key(user=User.objects.get(username="root"), name="reports")
    address, key = f"http://127.0.0.1:{site.port}/api/v1/runs/", {"Authorization": f"Bearer {token}"}
    assert page.request.get(address, headers=key).status == 200

    page.goto("/admin/councils/apikey/")
    page.locator("input[name=_selected_action]").first.check()
    page.locator("select[name=action]").select_option("revoke")
    page.evaluate("document.getElementById('changelist-form').requestSubmit()")
    expect(page.get_by_text("This cannot be taken back")).to_be_visible()
    press(page, "Revoke")

    expect(page.get_by_text("1 revoked.")).to_be_visible()
    assert page.request.get(address, headers=key).status == 401
