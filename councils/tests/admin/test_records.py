"""The rest of the admin: prompts by version, keys shown once, budgets, users, and stopping a run."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from councils.engine.types import RunStatus
from councils.models import ApiKey, PromptTemplate, User
from councils.services.repeating import regenerate_answer
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.admin.forms import sent
from councils.tests.factories import make_run, make_user

pytestmark = pytest.mark.django_db

PROMPTS = "/admin/councils/prompttemplate/"
KEYS = "/admin/councils/apikey/"
RUNS = "/admin/councils/councilrun/"
BUDGETS = "/admin/councils/budget/"
USERS = "/admin/councils/user/"


def write(admin: Client, text: str, **fields: str) -> str:
    form = {"stage": "opinions", "name": "brief", "text": text} | fields
    return admin.post(f"{PROMPTS}add/", form, follow=True).content.decode()


def test_a_prompt_that_is_written_again_becomes_a_new_version(admin: Client) -> None:
    write(admin, "Be brief. {question}")
    write(admin, "Be very brief. {question}")

    assert list(PromptTemplate.objects.values_list("version", "text")) == [(2, "Be very brief. {question}"), (1, "Be brief. {question}")]


def test_a_version_cannot_be_changed(admin: Client) -> None:
    template = PromptTemplate.objects.add_version(stage="opinions", name="brief", text="Old. {question}")

    answer = admin.post(f"{PROMPTS}{template.pk}/change/", {"stage": "opinions", "name": "brief", "text": "New. {question}"})

    assert answer.status_code == 403
    assert PromptTemplate.objects.get().text == "Old. {question}"


def test_a_new_version_starts_from_the_text_of_the_old_one(admin: Client) -> None:
    template = PromptTemplate.objects.add_version(stage="review", name="strict", text="Judge. {question} {answers}")
    page = admin.get(f"{PROMPTS}{template.pk}/change/").content.decode()

    assert f"{PROMPTS}add/?from={template.pk}" in page
    assert "Judge. {question} {answers}" in admin.get(f"{PROMPTS}add/?from={template.pk}").content.decode()


@pytest.mark.parametrize("start", ["", "x", "-1", "99999999999999999999", "٣"])
def test_an_odd_start_of_a_new_version_is_an_empty_form(admin: Client, start: str) -> None:
    assert admin.get(f"{PROMPTS}add/", {"from": start}).status_code == 200


def test_a_prompt_without_its_placeholder_is_refused_with_a_sentence(admin: Client) -> None:
    assert "lacks {question}" in write(admin, "Be brief.")
    assert not PromptTemplate.objects.exists()


def key_form(user: User, **fields: object) -> dict[str, str]:
    return sent(**({"user": user.pk, "name": "CI"} | fields))


def test_a_new_key_is_shown_once_and_works(admin: Client, root: User) -> None:
    answer = admin.post(f"{KEYS}add/", key_form(root), follow=True)

    assert answer.context is not None
    text = answer.context["text"]
    found = ApiKey.objects.find(text)
    assert found is not None
    assert found.user == root
    assert text in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert text not in str(answer.cookies)
    for later in (admin.get(KEYS), admin.get(f"{KEYS}{found.pk}/change/"), admin.get(f"{KEYS}{found.pk}/history/")):
        assert text not in later.content.decode()
        assert found.key_hash not in later.content.decode()


def test_a_reload_makes_no_second_key_and_shows_the_first_no_more(admin: Client, root: User) -> None:
    posted = admin.post(f"{KEYS}add/", key_form(root))
    stored = str(dict(admin.session.items()))
    text = admin.get(posted["Location"]).context["text"]

    again = admin.get(posted["Location"])

    assert posted.status_code == 302
    assert text
    assert text not in stored
    assert text not in again.content.decode()
    assert "was shown already" in again.content.decode()
    assert ApiKey.objects.count() == 1


def test_nobody_else_can_open_the_page_of_a_new_key(admin: Client, root: User) -> None:
    address = admin.post(f"{KEYS}add/", key_form(root))["Location"]

    assert sign_in(make_user()).get(address).status_code == 302
    other = sign_in(staff_with("view_apikey")).get(address)
    assert (other.status_code, other.context["text"]) == (200, "")
    assert admin.get(address).context["text"]


def test_a_key_can_expire(admin: Client, root: User) -> None:
    day = timezone.now() + timedelta(days=3)
    admin.post(f"{KEYS}add/", key_form(root, expires_at_0=day.date().isoformat(), expires_at_1="12:00:00"))

    assert ApiKey.objects.get().expires_at is not None


def test_staff_make_keys_for_themselves_only(root: User) -> None:
    clerk = staff_with("add_apikey", "view_apikey")
    browser = sign_in(clerk)

    browser.post(f"{KEYS}add/", key_form(root))
    assert not ApiKey.objects.exists()

    browser.post(f"{KEYS}add/", key_form(clerk))
    assert ApiKey.objects.get().user == clerk


def test_staff_do_not_see_the_keys_of_others(root: User) -> None:
    key, _ = ApiKey.issue(user=root, name="Root's")

    page = sign_in(staff_with("view_apikey", "change_apikey")).get(KEYS).content.decode()

    assert key.prefix not in page


def test_a_revoked_key_is_refused(admin: Client, root: User) -> None:
    key, text = ApiKey.issue(user=root, name="CI")

    asked = admin.post(KEYS, {"action": "revoke", "_selected_action": key.pk}).text
    assert "Programs that use this key are refused at once." in asked
    assert ApiKey.objects.find(text) == key
    said = admin.post(KEYS, {"action": "revoke", "_selected_action": key.pk, "confirmed": "yes"}, follow=True).text

    assert "1 revoked" in said
    assert ApiKey.objects.find(text) is None


def test_the_list_of_keys_says_whose_they_are_and_when_they_asked(admin: Client) -> None:
    ada = make_user("ada")
    key, _ = ApiKey.issue(user=ada, name="CI")
    ApiKey.issue(user=ada, name="Unused")
    make_run(owner=ada, api_key=key)

    listed = admin.get(KEYS)

    rows = {row.name: row for row in listed.context["cl"].result_list}
    assert (rows["CI"].user.username, rows["CI"].asked_at is None, rows["Unused"].asked_at) == ("ada", False, None)
    assert "Last question" in listed.text


def test_faults_of_a_form_are_summed_up_at_its_top_with_links(admin: Client) -> None:
    page = admin.post("/admin/councils/provider/add/", {"name": "Acme", "endpoints-TOTAL_FORMS": 0, "endpoints-INITIAL_FORMS": 0}).text

    summary = page[page.index("error-summary") : page.index("</ul>", page.index("error-summary"))]
    assert 'href="#id_base_url"' in summary
    assert "This field is required." in summary


def test_no_is_not_shown_as_a_fault(admin: Client) -> None:
    make_run()

    page = admin.get("/admin/councils/councilconfiguration/").text

    assert "yes-no" in page
    assert "close_small" not in page


def test_a_run_is_stopped_from_the_list(admin: Client, root: User) -> None:
    live, over = make_run(status=RunStatus.RUNNING), make_run(status=RunStatus.SUCCEEDED)

    page = admin.post(RUNS, {"action": "cancel_runs", "_selected_action": [live.pk, over.pk]}, follow=True).content.decode()

    live.refresh_from_db()
    over.refresh_from_db()
    assert (live.status, live.cancelled_by, over.status) == (RunStatus.CANCELLED, root, RunStatus.SUCCEEDED)
    assert "1 cancelled. 1 had ended already." in page


def test_looking_at_runs_is_not_stopping_them() -> None:
    run = make_run(status=RunStatus.RUNNING)

    sign_in(staff_with("view_councilrun")).post(RUNS, {"action": "cancel_runs", "_selected_action": run.pk})

    run.refresh_from_db()
    assert run.status == RunStatus.RUNNING


def test_a_runs_page_holds_the_question_the_answer_and_the_way_to_its_calls(admin: Client) -> None:
    run = make_run(question="What is a fair price?", answer="Ten months.", reason="All is well.")

    page = admin.get(f"{RUNS}{run.pk}/change/").content.decode()

    for text in ("What is a fair price?", "Ten months.", "All is well.", f"/modelcall/?run__id__exact={run.pk}", "opinion:agent_1"):
        assert text in page


def test_a_later_try_leads_to_the_run_that_it_goes_on_from(admin: Client) -> None:
    earlier = make_run(status=RunStatus.SUCCEEDED)
    newer, _ = regenerate_answer(by=earlier.owner, run=earlier)

    page = admin.get(f"/admin/councils/councilrun/{newer.pk}/change/").text

    assert f"/admin/councils/councilrun/{earlier.pk}/change/" in page
    assert "synthesis" in page
    listed = admin.get("/admin/councils/councilrun/", {"course__exact": "synthesis"}).text
    assert (newer.public_id in listed or f"/councilrun/{newer.pk}/" in listed, f"/councilrun/{earlier.pk}/" in listed) == (True, False)


def test_attention_shows_failed_partial_and_overdue_runs(admin: Client) -> None:
    failed, partial, fine = (make_run(status=s) for s in (RunStatus.FAILED, RunStatus.PARTIAL, RunStatus.SUCCEEDED))
    overdue = make_run(status=RunStatus.RUNNING)
    type(overdue).objects.filter(pk=overdue.pk).update(created_at=timezone.now() - timedelta(hours=2))

    page = admin.get(f"{RUNS}?attention=needed").content.decode()

    assert all(run.public_id in page for run in (failed, partial, overdue))
    assert fine.public_id not in page


def user_form(user: User, **fields: object) -> dict[str, str]:
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    return sent(**({"username": user.username, "is_active": user.is_active, **joined} | fields))


def test_staff_cannot_raise_themselves() -> None:
    clerk = staff_with("change_user", "view_user")

    sign_in(clerk).post(f"{USERS}{clerk.pk}/change/", user_form(clerk, is_superuser=True, is_staff=True, first_name="Ada"))

    clerk.refresh_from_db()
    assert (clerk.is_superuser, clerk.first_name) == (False, "Ada")


def test_staff_cannot_touch_other_staff(root: User) -> None:
    clerk = staff_with("change_user", "view_user", "delete_user")
    browser = sign_in(clerk)

    assert browser.post(f"{USERS}{root.pk}/change/", user_form(root, email="clerk@example.org")).status_code == 403
    assert browser.post(f"{USERS}{root.pk}/password/", {"password1": "x", "password2": "x"}).status_code == 403
    browser.post(USERS, {"action": "deactivate", "_selected_action": root.pk})
    root.refresh_from_db()
    assert root.is_active
    assert root.email == ""


def test_a_superuser_is_not_switched_off_by_their_own_hand(admin: Client, root: User) -> None:
    other = make_user()

    admin.post(USERS, {"action": "deactivate", "_selected_action": [root.pk, other.pk]})

    assert list(User.objects.filter(is_active=True)) == [root]


def test_a_new_user_can_sign_in(admin: Client, client: Client) -> None:
    secret = "correct horse battery"
    answer = admin.post(f"{USERS}add/", sent(username="ada", usable_password="true", password1=secret, password2=secret), follow=True)

    assert answer.status_code == 200
    assert Client().login(username="ada", password=secret)
    assert reverse("admin:index") == "/admin/"
