"""Pages around a run stay true without a reload: the list, the conversation, and the run after its end."""

import re

from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from councils.engine.types import RunStatus, StepStatus
from councils.models import CallStatus, CouncilConfiguration, CouncilRun, ModelCall, RunStep, User
from councils.tests import scenes
from councils.tests.browser.support import PlayedSocket, wait_for
from councils.tests.factories import RunPlan, make_run


def finish(run: CouncilRun) -> None:
    CouncilRun.objects.filter(pk=run.pk).update(
        status=RunStatus.SUCCEEDED.value, answer="The **result**.", answer_by="chairman", finished_at=run.created_at
    )


def settling(ada: User, council: CouncilConfiguration) -> CouncilRun:
    """Cancelled a moment ago: one call is not booked, its text not kept yet."""
    plan = RunPlan(opinions=[StepStatus.DONE, StepStatus.CANCELLED])
    run = make_run(owner=ada, council=council, status=RunStatus.CANCELLED, plan=plan)
    ModelCall.objects.filter(run=run, step__key="opinion:agent_2").update(status=CallStatus.SENDING.value)
    return run


def settle(run: CouncilRun) -> None:
    RunStep.objects.filter(run=run, key="opinion:agent_2").update(text="Half of a **thought**")
    ModelCall.objects.filter(run=run).update(status=CallStatus.CANCELLED.value)


def test_the_answer_comes_into_the_conversation_by_itself(tab: Page, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.RUNNING)
    tab.goto(f"/conversations/{run.conversation.public_id}/")
    expect(tab.get_by_label("Ask a follow-up")).to_have_count(0)
    question = tab.locator(".turn-question").bounding_box()
    finish(run)

    expect(tab.locator(".turn strong")).to_have_text("result")
    expect(tab.get_by_label("Ask a follow-up")).to_be_visible()
    expect(tab.locator("#announce")).to_have_text("Answered")
    assert tab.locator(".turn-question").bounding_box() == question


def test_the_list_tells_the_end_by_itself(tab: Page, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.RUNNING)
    for path in ("/conversations/", "/"):
        CouncilRun.objects.filter(pk=run.pk).update(status=RunStatus.RUNNING.value)
        tab.goto(path)
        expect(tab.locator(".line-facts")).to_contain_text("Running")
        finish(run)
        expect(tab.locator(".line-facts")).to_contain_text("Answered")


def test_a_list_without_a_live_run_is_left_alone(tab: Page, ada: User, council: CouncilConfiguration) -> None:
    make_run(owner=ada, council=council)
    tab.goto("/")
    requests: list[str] = []
    tab.on("request", lambda request: requests.append(request.resource_type))
    tab.wait_for_timeout(3_500)

    assert "fetch" not in requests


def test_the_list_is_refreshed_without_scripts_too(
    browser: Browser, context: BrowserContext, ada: User, council: CouncilConfiguration, live_server: LiveServer
) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.RUNNING)
    plain = browser.new_context(java_script_enabled=False, storage_state=context.storage_state(), base_url=live_server.url)
    page = plain.new_page()
    page.goto("/conversations/")
    refresh = page.locator("noscript meta[http-equiv=refresh]")
    expect(refresh).to_have_count(1)
    finish(run)
    page.reload()

    expect(refresh).to_have_count(0)
    plain.close()


def test_late_bookings_are_shown_and_end_the_watch(tab: Page, ada: User, council: CouncilConfiguration, socket: PlayedSocket) -> None:
    socket.status = RunStatus.CANCELLED.value
    run = settling(ada, council)
    tab.goto(f"/runs/{run.public_id}/")
    wait_for(tab, lambda: socket.asked)
    tab.wait_for_load_state("networkidle")
    tab.get_by_label("Ask a follow-up").fill("Typed meanwhile")
    settle(run)
    socket.send({"type": "changed"})

    expect(tab.locator('[data-part="opinion:agent_2"]')).to_contain_text(re.compile("unfinished.*Half of a thought", re.DOTALL))
    expect(tab.locator('[data-part="body"]')).to_have_attribute("data-settling", "false")
    expect(tab.get_by_label("Ask a follow-up")).to_have_value("Typed meanwhile")


def test_folds_stay_as_the_reader_left_them(tab: Page, ada: User, council: CouncilConfiguration, socket: PlayedSocket) -> None:
    socket.status = RunStatus.SUCCEEDED.value
    run = scenes.usual(ada, council)
    ModelCall.objects.filter(run=run, step__key="opinion:agent_2").update(status=CallStatus.SENDING.value)
    tab.goto(f"/runs/{run.public_id}/")
    wait_for(tab, lambda: socket.asked)
    tab.wait_for_load_state("networkidle")
    tab.locator("#costs summary").click()
    CouncilRun.objects.filter(pk=run.pk).update(known_cost_usd="1.25")
    socket.send({"type": "changed"})

    expect(tab.locator(".run-facts .cost")).to_have_text("1.25 USD")
    expect(tab.locator("#costs")).to_have_attribute("open", "")
    expect(tab.locator("#voting")).not_to_have_attribute("open", "")
