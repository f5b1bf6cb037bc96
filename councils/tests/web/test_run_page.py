import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from councils.engine.types import FinishReason, Mark, RunStatus, Stage, StepStatus, VotingSystem
from councils.live.drafts import keep_drafts, read_drafts
from councils.models import CallStatus, CouncilConfiguration, CouncilRun, ModelCall, ModelInfo, RunStep, User
from councils.models.base import new_public_id
from councils.tests import scenes
from councils.tests.allow_list import faults_of
from councils.tests.factories import RunPlan, add_step, finished_plan, make_council, make_run

HOSTILE: list[str] = json.loads((Path(__file__).parents[1] / "data" / "hostile_markdown.json").read_text("utf-8"))
DONE, RUNNING, FAILED = StepStatus.DONE, StepStatus.RUNNING, StepStatus.FAILED


@pytest.fixture
def show(page: Client) -> "Show":
    return Show(page)


class Show:
    """Reads the page of a run, or some of its parts."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __call__(self, run: CouncilRun, parts: str = "") -> str:
        response = self.client.get(f"/runs/{run.public_id}/" + (f"parts/{parts}/" if parts else ""))
        assert response.status_code == 200, response.status_code
        return " ".join(response.text.split())


def test_a_finished_run_shows_the_answer_first(show: Show, ada: User, council: CouncilConfiguration) -> None:
    text = show(scenes.usual(ada, council))

    assert "<strong>ten months" in text
    assert "written by the chairman" in text
    assert text.index("ten months") < text.index("Who thought what") < text.index("How they voted") < text.index("What it cost")


def test_a_finished_run_is_not_refreshed_and_runs_no_live_script(show: Show, ada: User, council: CouncilConfiguration) -> None:
    text = show(make_run(owner=ada, council=council))

    assert "http-equiv" not in text
    assert "councils/run.js" not in text


def test_a_live_run_refreshes_itself_where_scripts_are_off(show: Show, ada: User, council: CouncilConfiguration) -> None:
    text = show(scenes.live(ada, council))

    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in text
    assert 'type="module" src="/static/councils/run.js"' in text


@pytest.mark.parametrize("status", list(RunStatus))
def test_a_run_in_any_state_has_a_page(show: Show, ada: User, council: CouncilConfiguration, status: RunStatus) -> None:
    text = show(make_run(owner=ada, council=council, status=status))

    assert "How should we price the annual plan?" in text
    assert ("Cancel</button>" in text) is (status in {RunStatus.QUEUED, RunStatus.RUNNING})


def test_each_seat_has_a_card_with_state_model_tokens_and_time(show: Show, ada: User, council: CouncilConfiguration) -> None:
    run = scenes.live(ada, council)

    card = show(run, "opinion:agent_1")

    for piece in ("Analyst", "answered", "412 tokens", "8.1 s", run.config_snapshot["models"][run.spec_seats()[0]["model"]]["label"]):
        assert piece in card


def test_a_model_has_one_name_before_and_after_it_answers(show: Show, ada: User) -> None:
    council = make_council()
    ModelInfo.objects.update(label="A friendly name")
    run = make_run(owner=ada, council=council, status=RunStatus.RUNNING, plan=RunPlan(opinions=[DONE, RUNNING]))

    for key in ("opinion:agent_1", "opinion:agent_2", "opinion:agent_3"):
        assert '<span class="card-model">A friendly name</span>' in show(run, key)


def test_a_seat_that_was_not_asked_yet_waits(show: Show, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.QUEUED)

    assert "waiting" in show(run, "opinion:agent_3")


def test_the_text_so_far_is_there_without_a_script(show: Show, ada: User, council: CouncilConfiguration) -> None:
    run = scenes.live(ada, council)
    cache.set(f"drafts:{run.public_id}", {"opinion:agent_2": {"attempt": 2, "text": "It is <b>half</b>"}})

    card = show(run, "opinion:agent_2")

    assert 'data-draft="opinion:agent_2" data-attempt="2">It is &lt;b&gt;half&lt;/b&gt;</div>' in card


def test_a_draft_of_a_finished_step_is_not_shown(show: Show, ada: User, council: CouncilConfiguration) -> None:
    run = scenes.live(ada, council)
    cache.set(f"drafts:{run.public_id}", {"opinion:agent_1": {"attempt": 1, "text": "an older text"}})

    assert "an older text" not in show(run, "opinion:agent_1")


def test_a_failed_seat_says_why(show: Show, ada: User, council: CouncilConfiguration) -> None:
    text = show(scenes.failed(ada, council))

    assert "The council could not answer" in text
    assert "Skeptic (provider did not accept our key)" in text
    assert text.count("The answer did not come in time.") == 4


def test_a_failed_run_shows_the_reasons_without_a_click(show: Show, ada: User, council: CouncilConfiguration) -> None:
    text = show(scenes.failed(ada, council))

    assert '<details class="fold" id="opinions" open>' in text
    assert text.count('data-status="failed" open>') == 4


def test_marks_of_markdown_are_not_shown_raw(show: Show, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, question="**Which** of `these` is best?")
    review = RunStep.objects.get(run=run, key="review:agent_2")
    review.payload["ballot"]["verdicts"][0]["reasoning"] = "It is **clear**."
    review.save()

    text = show(run)

    assert 'lang="">Which of these is best?</h1>' in text
    assert "Answered · Which of these is best? ·" in text
    assert '<dd class="prose small" dir="auto" lang=""><p>It is <strong>clear</strong>.</p>' in text


def test_an_answer_that_was_cut_says_so_beside_it_and_in_what_is_copied(show: Show, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, marks=[Mark.CUT.value])

    for text in (show(run), " ".join(show.client.get(f"/conversations/{run.conversation.public_id}/").text.split())):
        assert "stops here, unfinished" in text
        assert "say so. [Cut off: the answer reached the limit on its length.]</template>" in text


def test_an_answer_that_is_whole_has_no_such_mark(show: Show, ada: User, council: CouncilConfiguration) -> None:
    assert "Cut off" not in show(make_run(owner=ada, council=council))


def test_members_that_did_not_do_their_part_are_named_with_the_reason(show: Show, ada: User, council: CouncilConfiguration) -> None:
    plan = RunPlan(opinions=[DONE, FAILED, FAILED, StepStatus.LATE], reviews=[DONE, StepStatus.INVALID], synthesis=DONE)
    run = make_run(owner=ada, council=council, plan=plan, marks=[Mark.DEGRADED.value])
    RunStep.objects.filter(run=run, key="opinion:agent_2").update(error_kind="connect_failed", error_message="At http://10.0.0.7:11434 no.")

    text = show(run)

    assert "No answer from Skeptic. The provider could not be reached." in text
    assert "No answer from Customer. The answer did not come in time." in text
    assert "Too late with the answer, not waited for: Operator." in text
    assert "No ballot that counts from Skeptic. The reply ranks something that is not one of the answers." in text
    assert "10.0.0.7" not in text


def test_those_who_were_spoken_for_are_named(show: Show, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, marks=[Mark.SUBSTITUTED.value])
    RunStep.objects.filter(run=run, key__in=["opinion:agent_3", "review:agent_3", "synthesis"]).update(substituted=True)

    assert "A substitute model spoke for Customer, the chairman." in show(run)


def test_a_seat_that_tries_again_shows_what_the_last_try_met(show: Show, ada: User, council: CouncilConfiguration) -> None:
    run = scenes.live(ada, council)
    ModelCall.objects.filter(run=run, step__key="opinion:agent_2").update(
        status="refused", error_kind="rate_limited", error_detail="The provider asks us to slow down. Quota of org-7 reached."
    )

    assert "The provider asks us to slow down." in show(run, "opinion:agent_2")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"finish_reason": FinishReason.LENGTH.value}, "cut at the token limit"),
        ({"finish_reason": FinishReason.SIZE.value}, "cut at the size limit"),
        ({"substituted": True}, "substitute"),
        ({"status": StepStatus.LATE_DONE.value}, "came too late to count"),
    ],
)
def test_a_card_tells_what_is_special_about_its_answer(
    show: Show, ada: User, council: CouncilConfiguration, changes: dict[str, object], words: str
) -> None:
    run = make_run(owner=ada, council=council)
    RunStep.objects.filter(run=run, key="opinion:agent_1").update(**changes)

    assert words in show(run, "opinion:agent_1")


def test_the_rail_counts_the_three_stages(show: Show, ada: User, council: CouncilConfiguration) -> None:
    assert 'Opinions</span> <span class="stop-count">2 of 4' in show(scenes.live(ada, council), "rail")
    assert 'Review</span> <span class="stop-count">2 of 4' in show(scenes.reviewing(ada, council), "rail")


def test_the_rail_says_what_was_left_out(show: Show, ada: User) -> None:
    run = make_run(owner=ada, council=make_council(enable_peer_review=False), plan=RunPlan(opinions=[DONE] * 4, synthesis=DONE))

    rail = show(run, "rail")

    assert 'Review</span> <span class="stop-count">left out' in rail
    assert 'Synthesis</span> <span class="stop-count">done' in rail


def test_the_ballots_are_a_matrix_of_reviewers_and_answers(show: Show, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, plan=finished_plan(4, orders={1: (4, 3, 2)}))

    votes = show(run, "votes")

    assert "4 of 4 ballots counted" in votes
    assert votes.count("own answer, not shown") == 4
    assert votes.count('<span class="rank">place 1</span>') == 4


def test_an_invalid_ballot_is_visible_and_not_counted(show: Show, ada: User, council: CouncilConfiguration) -> None:
    votes = show(scenes.contested(ada, council), "votes")

    assert "3 of 4 ballots counted" in votes
    assert "not valid, not counted" in votes
    assert "The reply ranks something that is not one of the answers." in votes


def test_the_tally_shows_every_method_and_marks_a_disagreement(show: Show, ada: User, council: CouncilConfiguration) -> None:
    text = show(scenes.contested(ada, council))

    assert "the methods disagree" in text
    for method in ("Borda", "Copeland", "Schulze", "Score, evened out", "round by round"):
        assert method in text


def test_methods_that_agree_are_not_marked(show: Show, ada: User, council: CouncilConfiguration) -> None:
    assert "methods disagree" not in show(make_run(owner=ada, council=council))


def test_agreement_is_a_word_and_a_figure(show: Show, ada: User, council: CouncilConfiguration) -> None:
    assert "<dd>strong (1.00)</dd>" in show(make_run(owner=ada, council=council))


def test_agreement_that_cannot_be_measured_says_so(show: Show, ada: User) -> None:
    council = make_council(seats=3)
    plan = RunPlan(opinions=[DONE] * 3, reviews=[DONE, StepStatus.INVALID, StepStatus.INVALID], counted=True, synthesis=DONE)

    assert "<dd>not measurable</dd>" in show(make_run(owner=ada, council=council, plan=plan))


def test_who_preferred_another_answer_is_named(show: Show, ada: User) -> None:
    run = make_run(owner=ada, council=make_council(seats=5), plan=finished_plan(5, orders={5: (2, 1, 3, 4)}))

    text = show(run)

    assert "1 reviewer preferred another answer" in text
    assert "<strong><bdi>Historian</bdi></strong> preferred the answer of <bdi>Skeptic</bdi>" in text


def test_the_author_of_the_winner_is_no_dissenter(show: Show, ada: User, council: CouncilConfiguration) -> None:
    assert "preferred the answer" not in show(make_run(owner=ada, council=council))


def test_what_only_one_member_saw_is_shown(show: Show, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council)
    RunStep.objects.filter(run=run, key="synthesis").update(payload={"notes": "- only Skeptic saw *why*"})

    assert "only Skeptic saw <em>why</em>" in show(run)


def test_the_answer_of_a_member_bears_its_name(show: Show, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.PARTIAL, answer_by="agent_2", marks=[Mark.VERBATIM.value])

    text = show(run)

    assert "in the words of Skeptic" in text
    assert "best answer in its author&#x27;s own words" in text


def test_what_the_reason_says_is_not_said_twice(show: Show, ada: User, council: CouncilConfiguration) -> None:
    facts: dict[str, Any] = {
        "reason": "R",
        "reason_code": "written_unranked",
        "reason_facts": {"answers": 3},
        "marks": [Mark.UNREVIEWED.value],
    }

    text = show(make_run(owner=ada, council=council, status=RunStatus.PARTIAL, **facts))

    assert "too few ballots were valid, so the answers are not ranked" in text
    assert "there was no review" not in text


@pytest.mark.parametrize("mark", [mark for mark in Mark if mark is not Mark.CUT])
def test_every_mark_is_explained(show: Show, ada: User, council: CouncilConfiguration, mark: Mark) -> None:
    plain, marked = (make_run(owner=ada, council=council, marks=marks) for marks in ([], [mark.value]))

    assert show(marked).count("<li>") == show(plain).count("<li>") + 1


def test_cost_is_shown_by_stage_and_model_with_its_sum(show: Show, ada: User, council: CouncilConfiguration) -> None:
    text = show(make_run(owner=ada, council=council))

    assert "9</td>" in text
    assert "0.0085 USD" in text


def from_the_cache(run: CouncilRun, *keys: str) -> CouncilRun:
    facts = {"cached": True, "cost_usd": 0, "prompt_tokens": 0, "completion_tokens": 0, "usage_source": ""}
    ModelCall.objects.filter(run=run, step__key__in=keys).update(**facts)
    return run


def test_what_came_from_the_cache_says_so_and_counts_apart(show: Show, ada: User, council: CouncilConfiguration) -> None:
    run = from_the_cache(make_run(owner=ada, council=council), "opinion:agent_1", "opinion:agent_2")
    cached, paid, page = show(run, "opinion:agent_1"), show(run, "opinion:agent_3"), show(run)

    assert ">from the cache</span>" in cached
    assert "0 tokens" not in cached
    assert "USD" not in cached
    assert ">from the cache</span>" not in paid
    assert "2 of 9 calls were answered from the cache" in page
    assert "Nothing is then taken from the cache: all answers are new." in page


def test_a_try_that_was_paid_before_the_answer_was_found_is_told(show: Show, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council)
    paid = ModelCall.objects.get(run=run, step__key="opinion:agent_1")
    ModelCall.objects.filter(pk=paid.pk).update(status=CallStatus.ORPHANED)
    paid.pk, paid.public_id, paid.attempt, paid.cached, paid.cost_usd = None, new_public_id(), 2, True, Decimal(0)
    paid.save(force_insert=True)

    card = show(run, "opinion:agent_1")

    assert "from the cache" in card
    assert "0.0009 USD" in card


def test_a_run_that_paid_for_everything_does_not_speak_of_the_cache(show: Show, ada: User, council: CouncilConfiguration) -> None:
    assert "cache" not in show(make_run(owner=ada, council=council))


def test_an_unknown_cost_is_never_a_zero(show: Show, ada: User, council: CouncilConfiguration) -> None:
    nothing = make_run(owner=ada, council=council)
    CouncilRun.objects.filter(pk=nothing.pk).update(unknown_costs=9, known_cost_usd=0)
    some = make_run(owner=ada, council=council)
    CouncilRun.objects.filter(pk=some.pk).update(unknown_costs=1, known_cost_usd=Decimal("0.5"))

    assert "cost unknown" in show(nothing, "head")
    assert "at least 0.5000 USD" in show(some, "head")


def test_a_second_round_has_cards_and_a_matrix_of_its_own(show: Show, ada: User) -> None:
    council = make_council(voting_system=VotingSystem.CONSENSUS.value, extra_round=True)
    run = make_run(
        owner=ada, council=council, status=RunStatus.RUNNING, plan=RunPlan(opinions=[DONE] * 4, reviews=[DONE] * 4, counted=True)
    )
    add_step(run, "opinion:agent_1:2", Stage.OPINIONS, DONE, text="I have changed my mind.")
    add_step(run, "review:agent_2:2", Stage.REVIEW, RUNNING)

    text = show(run)

    assert "I have changed my mind." in text
    assert "Second round, after revision" in text
    assert '<th scope="col" class="hue-1"><span class="dot"></span><bdi>Analyst</bdi><span class="fine"> revised</span>' in text


def test_the_page_of_a_run_whose_council_was_edited_and_deleted_does_not_change(
    show: Show, ada: User, council: CouncilConfiguration
) -> None:
    run = make_run(owner=ada, council=council)
    before = show(run, "votes")
    council.members.all().delete()
    council.delete()

    assert show(run, "votes") == before
    assert "Pricing council" in show(run)


def test_a_follow_up_can_be_asked_under_the_newest_question_only(show: Show, ada: User, council: CouncilConfiguration) -> None:
    first = make_run(owner=ada, council=council)
    second = make_run(owner=ada, council=council, conversation=first.conversation)

    assert "Ask a follow-up" in show(second)
    assert "Ask a follow-up" not in show(first)
    assert "The conversation went on after this." in show(first)
    assert "question 1 of 2" in show(first)


def test_a_long_question_is_shortened_and_kept(show: Show, ada: User, council: CouncilConfiguration) -> None:
    question = "Why? " * 1000

    text = show(make_run(owner=ada, council=council, question=question))

    assert "The whole question" in text
    assert question.strip() in text


def test_cancelling_ends_the_run_and_keeps_what_was_written(page: Client, show: Show, ada: User, council: CouncilConfiguration) -> None:
    run = scenes.live(ada, council)

    response = page.post(f"/runs/{run.public_id}/cancel/")

    run.refresh_from_db()
    assert response["Location"] == f"/runs/{run.public_id}/"
    assert (run.status, run.cancelled_by) == (RunStatus.CANCELLED.value, ada)
    text = show(run)
    assert "This run was cancelled" in text
    assert "Take <strong>ten months</strong>" in text


def test_cancelling_a_finished_run_changes_nothing(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council)

    assert page.post(f"/runs/{run.public_id}/cancel/").status_code == 302

    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED.value


def test_several_parts_come_in_one_answer(show: Show, ada: User, council: CouncilConfiguration) -> None:
    text = show(scenes.live(ada, council), "head,rail,votes,chair,opinion:agent_1,opinion:agent_2")

    assert text.count("data-part=") == 6


def test_a_part_is_exactly_what_the_page_shows(show: Show, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council)

    for part in ("rail", "votes", "opinion:agent_1"):
        assert show(run, part) in show(run)


@pytest.mark.parametrize("part", ["nothing", "opinion:agent_9", "opinion:agent_1:2", "../head", "%00", "head,<script>"])
def test_a_part_that_does_not_exist_is_not_found(page: Client, ada: User, council: CouncilConfiguration, part: str) -> None:
    run = make_run(owner=ada, council=council)

    assert page.get(f"/runs/{run.public_id}/parts/{part}/").status_code == 404


def test_a_run_page_is_never_cached(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council)

    assert "no-store" in page.get(f"/runs/{run.public_id}/")["Cache-Control"]


def test_hostile_text_in_every_field_shows_as_text(show: Show, ada: User) -> None:
    attack = '"><img src=x onerror=alert(1)><script>alert(1)</script>'
    council = make_council(name=attack[:100], description=attack)
    council.members.update(name=attack[:60])
    run = make_run(owner=ada, council=council, question=attack, answer=attack, reason=attack)
    RunStep.objects.filter(run=run).exclude(key="tally").update(error_message=attack, model_name=attack)
    RunStep.objects.filter(run=run, key="review:agent_1").update(status="invalid", payload={"problem": attack})

    text = show(run)

    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "&lt;script&gt;" in text


def test_hostile_answers_hold_nothing_outside_the_allow_list(show: Show, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council)
    for payload in HOSTILE:
        RunStep.objects.filter(run=run, key="opinion:agent_1").update(text=payload.replace("\x00", ""))
        card = show(run, "opinion:agent_1")
        prose = (
            card.partition('<div class="prose" dir="auto" lang="">')[2]
            .partition('<p class="card-foot">')[0]
            .rpartition("</div>")[0]
            .rpartition("</div>")[0]
        )
        assert faults_of(prose) == [], payload


def test_the_snapshot_of_drafts_and_the_page_use_one_key() -> None:
    keep_drafts({"abc": {"opinion:agent_1": {"attempt": 1, "text": "so far"}}})

    assert read_drafts("abc") == cache.get("drafts:abc")
