"""Trying a council in the admin: the cost before anything is sent, and both versions side by side afterwards."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from councils.models import CouncilConfiguration, CouncilRun, QuestionSet, SavedQuestion, Side, Trial, TrialRun, User
from councils.services.drafting import document_of, keep_draft
from councils.services.trying import MOST_QUESTIONS
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.factories import make_council, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def council() -> CouncilConfiguration:
    return make_council()


def try_of(council: CouncilConfiguration) -> str:
    return f"/admin/councils/councilconfiguration/{council.pk}/try/"


def page_of(trial: Trial) -> str:
    return f"/admin/councils/trial/{trial.pk}/change/"


def compared(root: User, council: CouncilConfiguration, questions: int = 1) -> Trial:
    """A trial that has ended."""
    trial = Trial.objects.create(council=council, draft_name="Warmer", by=root)
    for place in range(questions):
        for side, answer in ((Side.DRAFT, "Ten months."), (Side.PUBLISHED, "Twelve months.")):
            run = make_run(owner=root, council=council, answer=answer, trial=True, consensus_score=0.5)
            TrialRun.objects.create(trial=trial, run=run, side=side, place=place)
    return trial


def test_the_cost_is_shown_before_anything_is_sent(admin: Client, root: User, council: CouncilConfiguration) -> None:
    draft = keep_draft(council=council, document=document_of(council), by=root)
    form = {"draft": draft.pk, "question": "Which is best?", "compare": "on"}

    page = admin.post(try_of(council), form)

    text = page.content.decode()
    assert [label for label, _cost in page.context["costs"]] == ["Draft", "Published", "Together"]
    assert "1 question, 2 runs" in text
    assert " USD" in text
    assert not CouncilRun.objects.exists()
    answer = admin.post(try_of(council), form | {"start": "yes"})
    assert answer["Location"] == page_of(Trial.objects.get())
    assert CouncilRun.objects.filter(trial=True).count() == 2


def test_two_clicks_on_the_button_are_one_trial_and_one_payment(admin: Client, root: User, council: CouncilConfiguration) -> None:
    draft = keep_draft(council=council, document=document_of(council), by=root)
    form = {"draft": draft.pk, "question": "Which is best?", "compare": "on"}
    page = admin.post(try_of(council), form)
    assert f'name="nonce" value="{page.context["nonce"]}"' in page.content.decode()
    click = form | {"start": "yes", "nonce": page.context["nonce"]}

    places = [admin.post(try_of(council), click)["Location"] for _ in range(2)]

    assert places == [page_of(Trial.objects.get())] * 2
    assert CouncilRun.objects.count() == 2
    # What was changed on the page that one came back to is another trial, and so is the page opened again.
    admin.post(try_of(council), click | {"question": "Which is worst?"})
    admin.post(try_of(council), click | {"nonce": admin.post(try_of(council), form).context["nonce"]})
    assert Trial.objects.count() == 3


def test_a_set_asks_all_its_questions(admin: Client, council: CouncilConfiguration) -> None:
    chosen = QuestionSet.objects.create(name="Hard ones")
    for place, text in enumerate(("One?", "Two?")):
        SavedQuestion.objects.create(question_set=chosen, text=text, position=place)

    admin.post(try_of(council), {"question_set": chosen.pk, "start": "yes"})

    assert list(TrialRun.objects.values_list("place", "run__message__text", "side")) == [(0, "One?", "published"), (1, "Two?", "published")]


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"question": " "}, "one of the two"),
        ({"question": "\u200b"}, "The question is empty."),
        ({"question": "x" * 200_001}, "The question is too long."),
        ({"question": "Why?", "draft": "999"}, "not one of the available choices"),
    ],
)
def test_what_cannot_be_tried_is_refused_in_words(
    admin: Client, council: CouncilConfiguration, form: dict[str, str], sentence: str
) -> None:
    page = admin.post(try_of(council), form | {"start": "yes"})

    assert page.status_code == 200
    assert sentence in page.content.decode()
    assert not CouncilRun.objects.exists()


def test_a_set_that_is_too_long_is_refused(admin: Client, council: CouncilConfiguration) -> None:
    chosen = QuestionSet.objects.create(name="Too many")
    SavedQuestion.objects.bulk_create([SavedQuestion(question_set=chosen, text=f"{n}?") for n in range(MOST_QUESTIONS + 1)])

    assert "too many questions" in admin.post(try_of(council), {"question_set": chosen.pk, "start": "yes"}).content.decode()


def test_a_draft_that_does_not_fit_any_more_says_why(admin: Client, root: User, council: CouncilConfiguration) -> None:
    draft = keep_draft(council=council, document=document_of(council) | {"chairman_model": "gone/model"}, by=root)

    page = admin.post(try_of(council), {"draft": draft.pk, "question": "Why?"}).content.decode()

    assert "The draft does not fit any more." in page
    assert "There is no model gone/model." in page


def test_both_versions_stand_side_by_side(admin: Client, root: User, council: CouncilConfiguration) -> None:
    page = admin.get(page_of(compared(root, council)))

    text = page.content.decode()
    for words in ("Ten months.", "Twelve months.", "4 of 4 ballots counted", "agreement 0.50", "written by chairman", "Analyst"):
        assert words in text
    assert [(total.title, total.answered, total.agreement) for total in page.context["totals"]] == [
        ("Draft", 1, "0.50"), ("Published", 1, "0.50"),
    ]  # fmt: skip
    assert "noscript" not in text
    assert not page.context["is_live"]


def test_a_trial_that_runs_refreshes_itself_and_leads_to_the_live_view(admin: Client, root: User, council: CouncilConfiguration) -> None:
    admin.post(try_of(council), {"question": "Which is best?", "start": "yes"})
    trial, run = Trial.objects.get(), CouncilRun.objects.get()

    text = admin.get(page_of(trial)).content.decode()

    assert 'http-equiv="refresh"' in text
    assert "admin/trial.js" in text
    assert f'href="/runs/{run.public_id}/"' in text
    live = admin.get(f"/runs/{run.public_id}/").content.decode()
    assert f'href="{page_of(trial)}"' in live
    assert "Ask a follow-up" not in live
    admin.post(f"/admin/councils/trial/{trial.pk}/cancel/")
    run.refresh_from_db()
    assert run.status == "cancelled"


def test_a_run_outlives_its_trial_and_its_council(admin: Client, root: User, council: CouncilConfiguration) -> None:
    row = compared(root, council).runs.first()
    assert row is not None
    council.delete()

    page = admin.get(f"/runs/{row.run.public_id}/")

    assert page.status_code == 200
    assert 'href="/admin/councils/trial/"' in page.content.decode()


def test_more_questions_take_no_more_queries(admin: Client, root: User, council: CouncilConfiguration) -> None:
    small, large = compared(root, council), compared(root, council, questions=4)
    admin.get(page_of(small))
    with CaptureQueriesContext(connection) as few:
        admin.get(page_of(small))

    with CaptureQueriesContext(connection) as many:
        assert admin.get(page_of(large)).status_code == 200

    assert len(many) == len(few)


def test_trying_looking_and_stopping_take_their_own_rights(root: User, council: CouncilConfiguration) -> None:
    trial = compared(root, council)
    looker = sign_in(staff_with("view_trial", "change_councilconfiguration"))

    assert looker.get(try_of(council)).status_code == 403
    assert looker.get(page_of(trial)).status_code == 200
    assert looker.post(f"/admin/councils/trial/{trial.pk}/cancel/").status_code == 403
    tryer = sign_in(staff_with("add_trial"))
    assert tryer.get(try_of(council)).status_code == 200
    assert tryer.get(page_of(trial)).status_code == 403
    assert tryer.get(f"/admin/councils/trial/{trial.pk}/cancel/").status_code == 405
    for wrong in ("999", "x"):
        assert looker.get(f"/admin/councils/trial/{wrong}/change/").status_code == 404


def test_a_question_of_a_set_is_one_that_a_council_would_take(admin: Client) -> None:
    form = {"name": "Hard ones", "questions-TOTAL_FORMS": 1, "questions-INITIAL_FORMS": 0, "questions-0-position": 0}

    refused = admin.post("/admin/councils/questionset/add/", form | {"questions-0-text": "\u200b"})
    assert "The question is empty." in refused.content.decode()
    admin.post("/admin/councils/questionset/add/", form | {"questions-0-text": " Why? "})

    assert SavedQuestion.objects.get().text == "Why?"


def test_a_person_who_is_staff_no_more_cannot_open_their_trials(client: Client, root: User, council: CouncilConfiguration) -> None:
    run = compared(root, council).runs.first()
    assert run is not None
    User.objects.filter(pk=root.pk).update(is_staff=False, is_superuser=False)
    client.force_login(User.objects.get(pk=root.pk))

    assert client.get(f"/runs/{run.run.public_id}/").status_code == 404
    assert client.get("/conversations/").content.decode().count(run.run.public_id) == 0


def test_without_a_draft_the_page_speaks_of_none_that_could_be_tried(admin: Client, root: User, council: CouncilConfiguration) -> None:
    page = admin.get(try_of(council)).content.decode()

    assert "Ask the council a question as it is now." in page
    assert 'name="draft"' not in page
    keep_draft(council=council, document=document_of(council), by=root)
    assert 'name="draft"' in admin.get(try_of(council)).content.decode()
