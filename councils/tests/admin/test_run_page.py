"""A run on one page, for those who run the place: everything that led to the answer, and what can be done."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from councils.engine.types import RunStatus, Stage, StepStatus
from councils.models import AuditEntry, CouncilRun, RunEvent, RunStep, User
from councils.tests import scenes
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.factories import RunPlan, add_step, finished_plan, make_council, make_run, make_user

pytestmark = pytest.mark.django_db

FAILED_PLAN = RunPlan(opinions=[StepStatus.DONE, StepStatus.FAILED, StepStatus.DONE, StepStatus.DONE])


def page_of(run: CouncilRun) -> str:
    return f"/admin/councils/councilrun/{run.pk}/change/"


def deed(run: CouncilRun, name: str) -> str:
    return f"/admin/councils/councilrun/{run.pk}/do/{name}/"


def prompt(run: CouncilRun, key: str) -> str:
    return f"/admin/councils/councilrun/{run.pk}/prompt/{key}/"


def test_the_page_holds_everything_that_led_to_the_answer(admin: Client) -> None:
    run = scenes.usual(make_user("ada"), make_council())
    RunEvent.objects.create(run=run, seq=1, type="run_started", payload={"epoch": 1})

    text = admin.get(page_of(run)).text

    said = ("Skeptic", "You do not know <em>why</em> people leave", "It names the price and says why, point 1.", "4 of 4 ballots counted")
    counted = ("Share of points (Borda)", "run started", "Cost by stage and model", "heat-9", "ada")
    for part in (*said, *counted, f"?run__id__exact={run.pk}", f"?call__run__id__exact={run.pk}", 'class="bar-waiting"'):
        assert part in text


def test_the_page_asks_the_database_no_more_for_more_seats(admin: Client) -> None:
    small, large = make_run(council=make_council(seats=3)), make_run(council=make_council(seats=9))
    admin.get(page_of(small))
    with CaptureQueriesContext(connection) as few:
        admin.get(page_of(small))

    with CaptureQueriesContext(connection) as many:
        assert admin.get(page_of(large)).status_code == 200

    assert len(many) == len(few) <= 35


def test_what_this_version_cannot_read_hides_no_call(admin: Client) -> None:
    run = make_run()
    CouncilRun.objects.filter(pk=run.pk).update(config_snapshot={"version": 99})

    text = admin.get(page_of(run)).text

    assert "Another version of this software recorded this run" in text
    assert "opinion:agent_1" in text
    assert "Charge for <strong>ten months</strong>" in text


@pytest.mark.parametrize("maker", [scenes.live, scenes.reviewing, scenes.synthesising, scenes.failed, scenes.cancelled, scenes.contested])
def test_every_state_has_a_page(admin: Client, maker: object) -> None:
    assert callable(maker)
    run = maker(make_user(), make_council())

    assert admin.get(page_of(run)).status_code == 200


def test_a_tie_is_not_told_as_a_victory(admin: Client) -> None:
    run = make_run(council=make_council(seats=3), plan=finished_plan(3, orders={1: (2, 3), 2: (3, 1), 3: (1, 2)}))

    text = admin.get(page_of(run)).text

    assert "are tied by ranked choice; broken by a fixed rule," in text
    assert "then one by lot" in text
    assert " wins by " not in text
    assert "Margin" not in text


@pytest.mark.parametrize("odd", ["0", "999999", "x", "9" * 30, "1%00"])
def test_an_odd_number_is_no_run(admin: Client, odd: str) -> None:
    assert admin.get(f"/admin/councils/councilrun/{odd}/change/").status_code == 404


def test_those_who_may_not_see_prompts_see_neither_them_nor_the_configuration(root: User) -> None:
    run = make_run()
    run.council and run.council.members.update(persona="You are planted.")
    CouncilRun.objects.filter(pk=run.pk).update(config_snapshot={**run.config_snapshot, "planted": "planted-words"})
    viewer, reader = sign_in(staff_with("view_councilrun")), sign_in(staff_with("view_councilrun", "view_prompttemplate"))

    assert "planted-words" not in viewer.get(page_of(run)).text
    assert "/prompt/" not in viewer.get(page_of(run)).text
    assert viewer.get(prompt(run, "opinion:agent_1")).status_code == 403
    assert "planted-words" in reader.get(page_of(run)).text
    assert reader.get(prompt(run, "opinion:agent_1")).status_code == 200


def test_a_prompt_is_shown_with_what_is_known_of_it(admin: Client) -> None:
    run = make_run(question="What is a fair price?")

    shown = admin.get(prompt(run, "opinion:agent_1")).text
    counted = admin.get(prompt(run, "tally")).text

    assert "What is a fair price?" in shown
    assert "not proven" in shown
    assert "no fingerprint was kept" in shown
    assert "No model was asked" in counted
    assert admin.get(prompt(run, "opinion:nobody")).status_code == 404


def test_a_run_is_cancelled_after_a_question(admin: Client, root: User) -> None:
    run = make_run(status=RunStatus.RUNNING)

    asked = admin.get(deed(run, "cancel")).text
    run.refresh_from_db()
    assert "Cancel this run?" in asked
    assert run.status == RunStatus.RUNNING
    said = admin.post(deed(run, "cancel"), follow=True).text

    run.refresh_from_db()
    assert (run.status, run.cancelled_by) == (RunStatus.CANCELLED, root)
    assert "The run is cancelled." in said
    assert "had ended already" in admin.post(deed(run, "cancel"), follow=True).text


def test_what_failed_is_asked_again_once_in_the_name_of_its_owner(admin: Client, django_capture_on_commit_callbacks: object) -> None:
    run = make_run(owner=make_user("ada"), status=RunStatus.PARTIAL, plan=FAILED_PLAN)
    nonce = {"nonce": "once"}
    assert deed(run, "retry") in admin.get(page_of(run)).text

    answer = admin.post(deed(run, "retry"), nonce)
    again = admin.post(deed(run, "retry"), nonce)

    newer = CouncilRun.objects.get(based_on=run)
    assert (newer.owner, newer.course) == (run.owner, "retry")
    assert answer["Location"] == again["Location"] == page_of(newer)
    told = AuditEntry.objects.of("councils.councilrun", run.pk).values_list("actor_name", "verb", "door")
    assert list(told) == [("root", "did", "admin")] * 2


def test_a_retry_that_is_not_possible_says_why_and_starts_nothing(admin: Client) -> None:
    run = make_run()

    said = admin.post(deed(run, "retry"), follow=True).text

    assert "Nothing failed in it" in said
    assert CouncilRun.objects.count() == 1
    assert deed(run, "retry") not in admin.get(page_of(run)).text


@pytest.mark.parametrize("name", ["cancel", "retry"])
def test_looking_is_not_acting(name: str) -> None:
    run = make_run(status=RunStatus.RUNNING)
    viewer = sign_in(staff_with("view_councilrun"))

    assert deed(run, name) not in viewer.get(page_of(run)).text
    assert {viewer.get(deed(run, name)).status_code, viewer.post(deed(run, name)).status_code} == {403}
    run.refresh_from_db()
    assert run.status == RunStatus.RUNNING


def test_an_unknown_deed_is_none(admin: Client) -> None:
    assert admin.post(deed(make_run(), "delete")).status_code == 404


def test_errors_and_late_answers_stand_where_they_happened(admin: Client) -> None:
    run = make_run(status=RunStatus.FAILED, plan=RunPlan())
    add_step(run, "opinion:agent_1", Stage.OPINIONS, StepStatus.FAILED)
    RunStep.objects.filter(run=run).update(error_kind="rate_limited", error_message="The provider asks us to slow down.")

    assert "rate limited: The provider asks us to slow down." in admin.get(page_of(run)).text


def test_nothing_is_retried_for_an_owner_whose_account_is_switched_off(admin: Client) -> None:
    run = make_run(owner=make_user("ada", is_active=False), status=RunStatus.PARTIAL, plan=FAILED_PLAN)

    said = admin.post(deed(run, "retry"), {"nonce": "\x00"}, follow=True).text

    assert "account is switched off" in said
    assert CouncilRun.objects.count() == 1


def test_a_nonce_of_characters_that_cannot_be_stored_is_no_fault(admin: Client) -> None:
    run = make_run(status=RunStatus.PARTIAL, plan=FAILED_PLAN)

    admin.post(deed(run, "retry"), {"nonce": "\x00é\n"})

    assert CouncilRun.objects.get(based_on=run).idempotency_key == "staff-" + str(User.objects.get(username="root").pk) + "-"


@pytest.mark.parametrize("chosen", ["\x00", "abc", ""])
@pytest.mark.parametrize("action", ["cancel_runs", "as_csv"])
def test_a_choice_that_no_row_can_be_chooses_nothing(admin: Client, chosen: str, action: str) -> None:
    answer = admin.post(
        reverse("admin:councils_councilrun_changelist"), {"action": action, "_selected_action": chosen, "index": 0}, follow=True
    )

    assert "Items must be selected" in answer.text


def test_cancelling_from_the_list_is_told_in_the_trail(admin: Client) -> None:
    live, ended = make_run(status=RunStatus.RUNNING), make_run()

    admin.post(reverse("admin:councils_councilrun_changelist"), {"action": "cancel_runs", "_selected_action": [live.pk, ended.pk]})

    told = AuditEntry.objects.filter(kind="councils.councilrun").values_list("object_id", "actor_name", "verb")
    assert list(told) == [(str(live.pk), "root", "did")]


@pytest.mark.parametrize(
    "filtered", ["councilrun/?status__exact=%00", "runevent/?type=%00", "cachedresponse/?model_name=%00", "user/?q=%00"]
)
def test_a_filter_that_no_database_can_ask_for_is_no_fault(admin: Client, filtered: str) -> None:
    answer = admin.get(f"/admin/councils/{filtered}", follow=True)

    assert answer.status_code == 200
    assert "\\x00" not in repr(answer.context["cl"].params)
