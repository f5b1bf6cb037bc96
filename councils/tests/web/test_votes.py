"""The ballots as a heat map, and their count: run-off, all tallies, the room kept for what is to come."""

import pytest
from django.test import Client

from councils.engine.types import RunStatus, StepStatus
from councils.models import CouncilConfiguration, CouncilRun, RunStep, User
from councils.tests import scenes
from councils.tests.factories import RunPlan, finished_plan, make_council, make_run

DONE, RUNNING, FAILED = StepStatus.DONE, StepStatus.RUNNING, StepStatus.FAILED


def votes(page: Client, run: CouncilRun) -> str:
    response = page.get(f"/runs/{run.public_id}/parts/votes/")
    assert response.status_code == 200
    return " ".join(response.text.split())


def test_a_score_leads_to_its_reasoning(page: Client, ada: User, council: CouncilConfiguration) -> None:
    text = votes(page, make_run(owner=ada, council=council))

    assert 'href="#said-1-agent_2-opinion-agent_1"' in text
    assert 'id="said-1-agent_2-opinion-agent_1"' in text
    assert text.count('href="#said-') == text.count('id="said-') == 12


def test_a_score_without_a_reasoning_is_no_link(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council)
    for step in RunStep.objects.filter(run=run, stage="review", agent_id__gt=""):
        for verdict in step.payload["ballot"]["verdicts"]:
            verdict["reasoning"] = ""
        step.save()

    text = votes(page, run)

    assert "#said-" not in text
    assert "Choose a score" not in text
    assert text.count("heat-9") == 4 + 1


def test_before_the_review_its_lines_are_there(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.RUNNING, plan=RunPlan(opinions=[RUNNING] * 4))

    text = votes(page, run)

    assert "0 of 4 ballots counted" in text
    assert text.count('<td class="no-ballot"') == text.count("waiting</span>") == 4


def test_who_is_not_asked_keeps_a_line_while_the_run_lives(page: Client, ada: User, council: CouncilConfiguration) -> None:
    plan = RunPlan(opinions=[DONE, DONE, DONE, FAILED], reviews=[DONE, RUNNING, RUNNING])
    run = make_run(owner=ada, council=council, status=RunStatus.RUNNING, plan=plan)

    text = votes(page, run)

    assert "1 of 3 ballots counted" in text
    assert text.count('<th scope="row"') == 4
    assert "not asked" in text


def test_a_review_that_does_not_come_leaves_no_lines(page: Client, ada: User, council: CouncilConfiguration) -> None:
    plan = RunPlan(opinions=[DONE, DONE, FAILED, FAILED], synthesis=RUNNING)

    text = votes(page, make_run(owner=ada, council=council, status=RunStatus.RUNNING, plan=plan))

    assert "There was no review." in text
    assert "<table" not in text


def test_the_run_off_follows_each_answer_to_its_end(page: Client, ada: User) -> None:
    run = make_run(
        owner=ada, council=make_council(), plan=finished_plan(4, orders={1: (3, 2, 4), 2: (1, 3, 4), 3: (1, 4, 2), 4: (1, 3, 2)})
    )

    chart = votes(page, run).partition('<table class="run-off">')[2].partition("</table>")[0]

    rows = chart.split("<tr")[2:]
    assert [row.partition("<bdi>")[2].partition("</bdi>")[0] for row in rows][:2] == ["Analyst", "Customer"]
    assert "stays" in rows[0]
    assert [row.count("drops out") > 0 for row in rows] == [False, True, True, True]
    assert chart.count("Round ") == 3


@pytest.mark.parametrize(("is_contested", "marked"), [(True, True), (False, False)])
def test_a_method_with_another_winner_is_marked(
    page: Client, ada: User, council: CouncilConfiguration, is_contested: bool, marked: bool
) -> None:
    run = scenes.contested(ada, council) if is_contested else make_run(owner=ada, council=council)

    assert ("another winner</span>" in votes(page, run)) is marked


def test_a_ballot_that_cannot_be_read_says_why_even_without_a_reason(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = scenes.contested(ada, council)
    RunStep.objects.filter(run=run, status="invalid").update(payload={}, error_kind="", error_message="")

    assert "What the reviewer wrote could not be read as a ballot." in votes(page, run)


def test_two_hundred_lines_of_reasons_stay_lines(page: Client, ada: User) -> None:
    text = page.get(f"/runs/{scenes.wordy(ada).public_id}/parts/votes/").text

    assert text.count("<li>It says what it means and why.</li>") >= 199
