"""What staff do about runs that came back with a backup."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from councils.engine.types import RunStatus
from councils.models import CouncilRun
from councils.services.holding import hold_live_runs
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.factories import make_run

pytestmark = pytest.mark.django_db

RUNS = "/admin/councils/councilrun/"


@pytest.fixture
def held() -> CouncilRun:
    run = make_run()
    CouncilRun.objects.filter(pk=run.pk).update(status=RunStatus.RUNNING.value)
    hold_live_runs()
    return run


def decide(browser: Client, run: CouncilRun, action: str, **more: str) -> str:
    return browser.post(RUNS, {"action": action, "_selected_action": [run.pk], **more}, follow=True).content.decode()


def test_they_are_listed_and_continuing_says_first_that_it_may_be_paid_again(admin: Client, held: CouncilRun) -> None:
    other = make_run()
    listed = admin.get(RUNS, {"held": "yes"}).content.decode()
    assert f"{RUNS}{held.pk}/change/" in listed
    assert f"{RUNS}{other.pk}/change/" not in listed

    question = decide(admin, held, "continue_runs")
    assert "paid again" in question
    assert CouncilRun.objects.get(pk=held.pk).is_held

    decide(admin, held, "continue_runs", confirmed="yes")
    run = CouncilRun.objects.get(pk=held.pk)
    assert (run.is_held, run.is_live) == (False, True)
    assert "Continue" in LogEntry.objects.get(object_id=str(held.pk)).change_message


def test_giving_up_ends_the_run_after_a_question(admin: Client, held: CouncilRun) -> None:
    assert "They end as cancelled" in decide(admin, held, "give_up_runs")

    decide(admin, held, "give_up_runs", confirmed="yes")

    assert CouncilRun.objects.get(pk=held.pk).status == RunStatus.CANCELLED


def test_a_run_that_is_not_held_is_left_alone(admin: Client) -> None:
    run = make_run()
    CouncilRun.objects.filter(pk=run.pk).update(status=RunStatus.RUNNING.value)

    assert "None of them is held" in decide(admin, run, "give_up_runs", confirmed="yes")
    assert CouncilRun.objects.get(pk=run.pk).is_live


def test_who_may_only_look_decides_nothing(held: CouncilRun) -> None:
    decide(sign_in(staff_with("view_councilrun")), held, "give_up_runs", confirmed="yes")

    assert CouncilRun.objects.get(pk=held.pk).is_held


def test_the_list_and_the_page_of_the_run_say_that_it_is_held(admin: Client, held: CouncilRun) -> None:
    assert "held after a restore" in admin.get(RUNS, {"held": "yes"}).text.partition('id="result_list"')[2]

    page = admin.get(f"{RUNS}{held.pk}/change/").text

    assert '<span class="state-label is-warning">held after a restore</span>' in page
    assert f"{RUNS}{held.pk}/do/cancel/" not in page
    # Nobody drives it: no time passes.
    CouncilRun.objects.filter(pk=held.pk).update(started_at=timezone.now() - timedelta(days=3))
    assert "<dt>Took</dt><dd>–</dd>" in admin.get(f"{RUNS}{held.pk}/change/").text


@pytest.mark.parametrize(("deed", "warning", "left"), [("continue", "paid again", (False, True)), ("give_up", "cancelled", (False, False))])
def test_it_is_decided_on_the_page_of_the_run(admin: Client, held: CouncilRun, deed: str, warning: str, left: tuple[bool, bool]) -> None:
    address = f"{RUNS}{held.pk}/do/{deed}/"
    assert address in admin.get(f"{RUNS}{held.pk}/change/").text
    assert warning in admin.get(address).text
    assert CouncilRun.objects.get(pk=held.pk).is_held

    admin.post(address)

    run = CouncilRun.objects.get(pk=held.pk)
    assert (run.is_held, run.is_live) == left
    assert "not held any more" in admin.post(address, follow=True).text
