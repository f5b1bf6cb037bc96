"""Blind runs: what their page keeps to itself, and the pick that opens it."""

import re

import pytest
from django.core.cache import cache
from django.test import Client

from councils.engine.types import RunStatus, Stage, StepStatus
from councils.live.drafts import keep_drafts
from councils.models import AnswerPick, CouncilConfiguration, CouncilRun, ModelCall, PickOutcome, RunStep, User
from councils.services.veiling import Veil, veil_of
from councils.tests.blind import ALL_IN, make_blind_run, words_that_tell
from councils.tests.factories import RunPlan, add_step, finished_plan, make_run, make_user

DONE, RUNNING, FAILED = StepStatus.DONE, StepStatus.RUNNING, StepStatus.FAILED
STATES = {
    "just begun": (RunPlan(), RunStatus.QUEUED),
    "writing": (RunPlan(opinions=[DONE, RUNNING, FAILED, StepStatus.LATE]), RunStatus.RUNNING),
    "reviewing": (ALL_IN, RunStatus.RUNNING),
    "synthesising": (RunPlan(opinions=[DONE] * 4, reviews=[DONE] * 4, counted=True, synthesis=RUNNING), RunStatus.RUNNING),
    "answered": (finished_plan(4), RunStatus.SUCCEEDED),
    "answered in part": (RunPlan(opinions=[DONE, DONE, DONE, FAILED], reviews=[DONE] * 3, counted=True), RunStatus.PARTIAL),
    "failed": (RunPlan(opinions=[DONE, DONE, FAILED, FAILED]), RunStatus.FAILED),
    "cancelled": (RunPlan(opinions=[DONE, DONE, StepStatus.CANCELLED, DONE]), RunStatus.CANCELLED),
}
PARTS = "body,head,rail,votes,chair,answers,opinion:agent_1,opinion:answer_1"


def text_of(page: Client, run: CouncilRun, part: str = "") -> str:
    response = page.get(f"/runs/{run.public_id}/" + (f"parts/{part}/" if part else ""))
    assert response.status_code == 200
    return " ".join(response.text.split())


def told(run: CouncilRun, text: str) -> list[str]:
    return [word for word in words_that_tell(run) if word.casefold() in text.casefold()]


def veil(run: CouncilRun) -> Veil:
    found = veil_of(CouncilRun.objects.get(pk=run.pk))
    assert found is not None
    return found


def pick(page: Client, run: CouncilRun, choice: str) -> int:
    return page.post(f"/runs/{run.public_id}/pick/", {"choice": choice}).status_code


@pytest.mark.parametrize("state", STATES)
def test_before_the_pick_nothing_tells_who_wrote_what(page: Client, ada: User, state: str) -> None:
    plan, status = STATES[state]
    reason = "No member answered: Analyst (timeout), Skeptic (authentication failed)."
    run = make_blind_run(ada, plan=plan, status=status, reason=reason)
    RunStep.objects.filter(run=run, status=FAILED).update(
        error_message="Telltale provider said no: " + " ".join(words_that_tell(run)), substituted=True
    )

    assert told(run, text_of(page, run)) == []
    assert told(run, text_of(page, run, PARTS)) == []
    assert not re.search(r"hue-[1-9]", text_of(page, run))


def test_before_the_pick_nothing_tells_what_came_from_the_cache(page: Client, ada: User) -> None:
    run = make_blind_run(ada)
    ModelCall.objects.filter(run=run, step__key="opinion:agent_1").update(cached=True)

    assert "cache" not in text_of(page, run)
    assert "cache" not in text_of(page, run, PARTS)


@pytest.mark.parametrize("state", ["reviewing", "answered", "answered in part"])
def test_after_the_pick_all_names_are_there(page: Client, ada: User, state: str) -> None:
    plan, status = STATES[state]
    run = make_blind_run(ada, plan=plan, status=status)
    assert pick(page, run, veil(run).alias("agent_1")) == 302

    text = text_of(page, run)

    names = {seat["name"] for seat in run.spec_seats()} | {model["label"] for model in run.config_snapshot["models"].values()}
    assert {name for name in names if name not in text} == set()


def test_a_name_in_the_text_of_an_answer_stays(page: Client, ada: User) -> None:
    """What a member writes is shown as it is: one that signs has told on itself, and no filter could know all ways to sign."""
    run = make_blind_run(ada)
    RunStep.objects.filter(run=run, key="opinion:agent_2").update(text="Sincerely yours, **Skeptic**")

    assert told(run, text_of(page, run)) == ["Skeptic"]


def test_the_texts_stand_in_an_order_drawn_for_each_run(page: Client, ada: User) -> None:
    orders = set()
    for _ in range(8):
        run = make_blind_run(ada)
        seats = re.findall(r"Text of seat (\d)", text_of(page, run))
        assert sorted(seats) == ["1", "2", "3", "4"]
        assert seats == re.findall(r"Text of seat (\d)", text_of(page, run))
        orders.add(tuple(seats))

    assert len(orders) > 1


def test_votes_costs_and_the_author_of_a_verbatim_answer_wait_for_the_pick(page: Client, ada: User) -> None:
    run = make_blind_run(ada, answer_by="agent_3")

    text = text_of(page, run)

    assert "in the words of one member" in text
    for hidden in ("place 1", "tokens", "Agreement", "How they voted", "What it cost"):
        assert hidden not in text
    assert pick(page, run, "skip") == 302
    assert "in the words of Customer" in text_of(page, run)


def test_what_the_chairman_wrote_is_shown_as_always(page: Client, ada: User) -> None:
    text = text_of(page, make_blind_run(ada))

    assert "<strong>ten months" in text
    assert "written by the chairman" in text


def test_drafts_are_shown_under_their_numbers(page: Client, ada: User) -> None:
    cache.clear()
    run = make_blind_run(ada, plan=RunPlan(opinions=[DONE, RUNNING, DONE, DONE]), status=RunStatus.RUNNING)
    keep_drafts({run.public_id: {"opinion:agent_2": {"attempt": 2, "text": "So far it"}}})

    text = text_of(page, run, "answers")

    shown = veil(run).attempt("opinion:agent_2", 2)
    assert shown > 2
    assert f'data-draft="opinion:{veil(run).alias("agent_2")}" data-attempt="{shown}">So far it</div>' in text


def test_the_chairman_s_draft_is_shown_without_its_model(page: Client, ada: User) -> None:
    plan, status = STATES["synthesising"]
    run = make_blind_run(ada, plan=plan, status=status)
    keep_drafts({run.public_id: {"synthesis": {"attempt": 1, "text": "In short"}}})

    assert 'data-draft="synthesis" data-attempt="1">In short</div>' in text_of(page, run)


def test_hostile_answers_do_no_harm(page: Client, ada: User) -> None:
    run = make_blind_run(ada)
    RunStep.objects.filter(run=run, stage=Stage.OPINIONS.value).update(text='<script>alert(1)</script><img src=x onerror="alert(2)">')

    text = text_of(page, run)

    assert "<script>alert" not in text
    assert "<img src=x" not in text


@pytest.mark.parametrize(("plan", "possible"), [(RunPlan(opinions=[DONE, DONE, DONE, RUNNING]), False), (ALL_IN, True)])
def test_the_pick_is_offered_as_soon_as_the_answers_are_in(page: Client, ada: User, plan: RunPlan, possible: bool) -> None:
    run = make_blind_run(ada, plan=plan, status=RunStatus.RUNNING)

    text = text_of(page, run)

    assert ('value="answer_1"' in text) is possible
    assert ("when the answers are all in" in text) is not possible
    assert 'value="skip"' in text
    assert pick(page, run, "answer_1") == 302
    assert AnswerPick.objects.filter(run=run).exists() is possible


def test_only_whole_answers_can_be_picked(page: Client, ada: User) -> None:
    plan = RunPlan(opinions=[DONE, DONE, StepStatus.CANCELLED, FAILED])
    run = make_blind_run(ada, plan=plan, status=RunStatus.CANCELLED)
    RunStep.objects.filter(run=run, key="opinion:agent_3").update(text="Broken off in the mid")

    text = text_of(page, run)

    assert "Broken off in the mid" in text
    assert len(re.findall(r'name="choice" value="answer_\d"', text)) == 2
    for seat in ("agent_3", "agent_4"):
        page.post(f"/runs/{run.public_id}/pick/", {"choice": veil(run).alias(seat)})
        assert not AnswerPick.objects.exists()


@pytest.mark.parametrize("opinions", [[DONE, FAILED, FAILED, FAILED], [FAILED] * 4])
def test_names_are_shown_at_once_when_there_is_nothing_to_compare(page: Client, ada: User, opinions: list[StepStatus]) -> None:
    run = make_blind_run(ada, plan=RunPlan(opinions=opinions), status=RunStatus.FAILED)

    text = text_of(page, run)

    assert "Analyst" in text
    assert "Which is the best answer?" not in text
    assert "names are shown already" in page.post(f"/runs/{run.public_id}/pick/", {"choice": "skip"}, follow=True).text


def test_a_run_that_is_not_blind_asks_for_no_pick(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council)

    assert "Which is the best answer?" not in text_of(page, run)
    assert "names are shown already" in page.post(f"/runs/{run.public_id}/pick/", {"choice": "answer_1"}, follow=True).text
    assert not AnswerPick.objects.exists()


def test_the_pick_is_told_beside_the_vote(page: Client, ada: User) -> None:
    sentences = {
        "agent_1": "You picked <bdi>Analyst</bdi>'s answer, and so did the council's vote.",
        "agent_2": "You picked <bdi>Skeptic</bdi>'s answer; the council's vote chose <bdi>Analyst</bdi>'s.",
    }
    for seat, sentence in sentences.items():
        run = make_blind_run(ada)
        assert run.steps.get(key="tally").payload["winner"] == "agent_1"
        pick(page, run, veil(run).alias(seat))

        assert sentence in text_of(page, run)


def test_finding_all_equal_is_told_beside_the_vote(page: Client, ada: User) -> None:
    run = make_blind_run(ada)
    pick(page, run, "equal")

    assert "You found the answers equally good; the council's vote chose <bdi>Analyst</bdi>'s." in text_of(page, run)


def test_a_pick_before_the_vote_is_told_alone(page: Client, ada: User) -> None:
    run = make_blind_run(ada, plan=ALL_IN, status=RunStatus.RUNNING)
    pick(page, run, veil(run).alias("agent_4"))

    assert "You picked <bdi>Operator</bdi>'s answer. </p>" in text_of(page, run)


def test_showing_the_names_without_picking_says_nothing_of_a_pick(page: Client, ada: User) -> None:
    run = make_blind_run(ada)
    pick(page, run, "skip")

    assert "You picked" not in text_of(page, run)
    assert AnswerPick.objects.get(run=run).outcome == PickOutcome.SKIPPED


def test_revisions_stand_apart_and_can_be_picked(page: Client, ada: User) -> None:
    run = make_blind_run(ada)
    add_step(run, "opinion:agent_2:2", Stage.OPINIONS, DONE, text="A second thought.")
    alias = veil(run).alias("agent_2:2")

    assert f'value="{alias}"' in text_of(page, run)
    pick(page, run, alias)

    assert AnswerPick.objects.get().candidate == "agent_2:2"
    assert "You picked <bdi>Skeptic</bdi>'s answer" in text_of(page, run)


@pytest.mark.parametrize("choice", ["", "agent_1", "answer_9", "answer_0", "answer_1:2", "x" * 5000, "\x00"])
def test_a_choice_that_is_none_is_refused_and_nothing_is_shown(page: Client, ada: User, choice: str) -> None:
    run = make_blind_run(ada)

    assert pick(page, run, choice) == 302
    assert not AnswerPick.objects.exists()
    text = text_of(page, run)
    assert "There is no such answer to pick." in text
    assert told(run, text) == []


def test_somebody_else_s_run_cannot_be_picked_in(client: Client, ada: User) -> None:
    run = make_blind_run(ada)
    client.force_login(make_user(is_staff=True))

    assert pick(client, run, "answer_1") == 404
    assert not AnswerPick.objects.exists()
