"""What the page says of members and stages that did not simply go well, and of the time it took."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from councils.engine.events import EventType
from councils.engine.types import RunStatus, StepStatus
from councils.models import CouncilConfiguration, CouncilRun, ModelCall, RunEvent, User
from councils.tests import scenes
from councils.tests.factories import RunPlan, make_run

DONE, FAILED, INVALID = StepStatus.DONE, StepStatus.FAILED, StepStatus.INVALID
WRITING, REVIEWING = "opinion:agent_2", "review:agent_3"


def text_of(page: Client, run: CouncilRun, parts: str = "") -> str:
    return " ".join(page.get(f"/runs/{run.public_id}/" + (f"parts/{parts}/" if parts else "")).text.split())


def fail_last_try(run: CouncilRun, key: str, *, retry_in_s: float | None, seq: int = 1) -> None:
    ModelCall.objects.filter(run=run, step__key=key).update(status="refused", error_detail="The provider asks us to slow down.")
    payload = {"key": key, "retry_in_s": retry_in_s}
    RunEvent.objects.create(run=run, seq=seq, type=EventType.CALL_FAILED.value, payload=payload)


def test_a_member_that_is_asked_again_says_when(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = scenes.live(ada, council)
    fail_last_try(run, WRITING, retry_in_s=1.0, seq=1)
    fail_last_try(run, WRITING, retry_in_s=500.0, seq=2)
    RunEvent.objects.update(created_at=timezone.now() + timedelta(seconds=60))

    card = text_of(page, run, WRITING)

    assert "asked again in 560 s" in card
    assert "writing</span>" not in card


def test_a_time_that_is_over_is_not_counted_below_zero(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = scenes.live(ada, council)
    fail_last_try(run, WRITING, retry_in_s=2.0)
    RunEvent.objects.update(created_at=timezone.now() - timedelta(seconds=5))

    assert "asked again now" in text_of(page, run, WRITING)


def test_a_reviewer_that_is_asked_again_says_so_too(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = scenes.reviewing(ada, council)
    assert "reviewing</span>" in text_of(page, run, "votes")
    fail_last_try(run, REVIEWING, retry_in_s=None)

    votes = text_of(page, run, "votes")

    assert "asked again now" in votes
    assert "reviewing</span>" not in votes


@pytest.mark.parametrize(
    ("opinions", "state"),
    [([DONE] * 4, "done"), ([DONE, DONE, FAILED, DONE], "partial"), ([FAILED] * 4, "failed")],
)
def test_only_a_stage_in_which_everybody_answered_is_green(
    page: Client, ada: User, council: CouncilConfiguration, opinions: list[StepStatus], state: str
) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.PARTIAL, plan=RunPlan(opinions=opinions))

    first_stop = text_of(page, run, "rail").partition("</li>")[0]

    assert f'class="stop stop-{state}"' in first_stop


def test_an_invalid_ballot_takes_the_green_from_the_review(page: Client, ada: User, council: CouncilConfiguration) -> None:
    assert "stop-partial" in text_of(page, scenes.contested(ada, council), "rail")


@pytest.mark.parametrize("took", [timedelta(seconds=8.96), timedelta(seconds=31.6), timedelta(seconds=95.7)])
def test_the_time_is_the_same_wherever_it_stands(page: Client, ada: User, council: CouncilConfiguration, took: timedelta) -> None:
    run = make_run(owner=ada, council=council)
    CouncilRun.objects.filter(pk=run.pk).update(finished_at=run.created_at + took)

    text = text_of(page, run)

    above = text.partition('class="elapsed"')[2].partition(">")[2].partition("<")[0]
    below = text.partition("<dt>Time</dt><dd>")[2].partition("<")[0]
    assert above == below != ""
