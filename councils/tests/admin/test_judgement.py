"""What staff see of readers' judgements."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from councils.models import AnswerPick, CouncilRun, Feedback, PickOutcome, User
from councils.tests.factories import make_council, make_run, make_user

LIST = "/admin/councils/feedback/"
PICKS = "/admin/councils/answerpick/"


@pytest.fixture
def admin(client: Client, db: None) -> Client:
    client.force_login(make_user("boss", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def ada(db: None) -> User:
    return make_user("ada")


def say(ada: User, council_name: str, verdict: str, reason: str = "") -> CouncilRun:
    run = make_run(owner=ada, council=make_council(name=council_name))
    Feedback.objects.create(run=run, by=ada, verdict=verdict, reason=reason)
    return run


def test_the_list_answers_which_councils_get_thumbs_down_and_why(admin: Client, ada: User) -> None:
    poor = say(ada, "Poor council", "down", "It <b>rambles</b>.")
    say(ada, "Poor council of no words", "down")
    say(ada, "Fine council", "up", "Clear and short.")

    text = admin.get(LIST, {"verdict__exact": "down", "reason": "given"}).text

    assert "It &lt;b&gt;rambles&lt;/b&gt;." in text
    assert "Thumbs down" in text
    assert "Clear and short." not in text
    of_council = admin.get(LIST, {"run__council__id__exact": str(poor.council_id)}).text
    assert "rambles" in of_council
    assert "Clear and short." not in of_council
    assert "Clear and short." in admin.get(LIST, {"q": "short"}).text


def test_the_picks_are_listed_with_names(admin: Client, ada: User) -> None:
    run = make_run(owner=ada, blind=True)
    AnswerPick.objects.create(run=run, by=ada, outcome=PickOutcome.PICKED, candidate="agent_2", shown=["agent_3", "agent_2"])

    assert "Skeptic (agent_2)" in admin.get(PICKS, {"outcome__exact": "picked"}).text
    assert "Customer (agent_3), Skeptic (agent_2)" in admin.get(f"{PICKS}{AnswerPick.objects.get().pk}/change/").text


@pytest.mark.parametrize("model", ["feedback", "answerpick"])
def test_nobody_changes_what_readers_said(admin: Client, ada: User, model: str) -> None:
    run = say(ada, "Poor council", "down", "No.")
    AnswerPick.objects.create(run=run, by=ada, outcome=PickOutcome.EQUAL, shown=[])
    row = (Feedback if model == "feedback" else AnswerPick).objects.get()

    assert admin.get(f"/admin/councils/{model}/{row.pk}/change/").status_code == 200
    assert admin.post(f"/admin/councils/{model}/{row.pk}/change/", {"verdict": "up"}).status_code == 403
    assert admin.get(f"/admin/councils/{model}/add/").status_code == 403


@pytest.mark.parametrize("path", [LIST, PICKS])
def test_lists_ask_the_same_for_one_and_for_many(admin: Client, ada: User, path: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin.get(path).status_code == 200
        return len(captured)

    def add() -> None:
        run = say(ada, "A council", "down", "No.")
        AnswerPick.objects.create(run=run, by=ada, outcome=PickOutcome.PICKED, candidate="agent_1", shown=["agent_1"])

    add()
    queries()
    few = queries()
    for _ in range(4):
        add()

    assert queries() == few
