"""The page speaks only of what is there: texts that were written, how many, whole or not, counted or estimated."""

import pytest
from django.test import Client

from councils.engine.types import RunStatus, StepStatus
from councils.models import CallStatus, CouncilConfiguration, CouncilRun, ModelCall, RunStep, User
from councils.tests import scenes
from councils.tests.factories import RunPlan, make_council, make_run

KEPT = "What the members wrote until then is kept below."
UNFINISHED = "unfinished"


def text_of(page: Client, run: CouncilRun, parts: str = "") -> str:
    return " ".join(page.get(f"/runs/{run.public_id}/" + (f"parts/{parts}/" if parts else "")).text.split())


def break_off(run: CouncilRun, key: str, text: str) -> None:
    RunStep.objects.filter(run=run, key=key).update(status=StepStatus.CANCELLED.value, text=text)


def test_texts_are_promised_only_where_some_are(page: Client, ada: User, council: CouncilConfiguration) -> None:
    assert KEPT in text_of(page, scenes.cancelled(ada, council))
    assert KEPT not in text_of(page, scenes.failed(ada, council))


def test_asking_again_is_offered_only_where_the_box_is(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = scenes.failed(ada, council)
    assert "You can ask again in the box" not in text_of(page, run), "where there are better ways, the box is not praised"
    make_council(name="Another council")
    CouncilRun.objects.filter(pk=run.pk).update(council=None)
    assert "You can ask again in the box" in text_of(page, run)
    make_run(owner=ada, council=council, conversation=run.conversation)

    assert "You can ask again in the box" not in text_of(page, run)


def test_opinions_that_are_not_there_are_not_counted(page: Client, ada: User, council: CouncilConfiguration) -> None:
    assert '<span class="fine">2 opinions</span>' in text_of(page, scenes.cancelled(ada, council))
    assert '<span class="fine">0 opinions</span>' in text_of(page, scenes.failed(ada, council))


def test_a_text_that_was_broken_off_is_shown_and_marked(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = scenes.cancelled(ada, council)
    assert UNFINISHED not in text_of(page, run)
    break_off(run, "opinion:agent_2", "Half of a **thou")

    card = text_of(page, run, "opinion:agent_2")

    assert "Half of a" in card
    assert UNFINISHED in card
    assert '<span class="fine">2 opinions, 1 unfinished</span>' in text_of(page, run)


def test_only_unfinished_texts_are_not_called_opinions(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.CANCELLED, plan=RunPlan(opinions=[StepStatus.CANCELLED] * 4))
    break_off(run, "opinion:agent_2", "Half of a thought")

    assert '<span class="fine">1 unfinished</span>' in text_of(page, run)
    assert KEPT in text_of(page, run)


def test_what_the_chairman_had_written_is_kept_too(page: Client, ada: User, council: CouncilConfiguration) -> None:
    plan = RunPlan(opinions=[StepStatus.DONE] * 4, synthesis=StepStatus.CANCELLED)
    run = make_run(owner=ada, council=council, status=RunStatus.CANCELLED, plan=plan)
    assert "What the chairman had written" not in text_of(page, run)
    break_off(run, "synthesis", "We **say** that")

    text = text_of(page, run)

    assert "What the chairman had written" in text
    assert "We <strong>say</strong> that" in text


@pytest.mark.parametrize(("source", "shown"), [("reported", False), ("estimated", True)])
def test_estimated_tokens_are_marked_wherever_they_stand(
    page: Client, ada: User, council: CouncilConfiguration, source: str, shown: bool
) -> None:
    run = make_run(owner=ada, council=council)
    ModelCall.objects.filter(run=run, step__key="opinion:agent_1").update(usage_source=source)

    text = text_of(page, run)

    assert (">about 412 tokens</span>" in text) is shown
    assert ("about</span> 412</td>" in text) is shown
    assert (">about 4,788 tokens</span>" in text) is shown
    assert "about 412" not in text_of(page, run, "opinion:agent_2")


def test_a_run_that_ended_is_watched_until_all_its_calls_are_booked(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = scenes.cancelled(ada, council)
    assert "councils/run.js" not in text_of(page, run)
    ModelCall.objects.filter(run=run, step__key="opinion:agent_2").update(status=CallStatus.SENDING.value)

    text = text_of(page, run)

    assert "councils/run.js" in text
    assert 'data-live="false" data-settling="true"' in text
