"""Thumbs by programs, and what the record tells of a blind run."""

from typing import Any

import pytest
from django.test import Client

from councils.models import AnswerPick, CouncilConfiguration, CouncilRun, Feedback, PickOutcome, User
from councils.tests.api.rows import AGENTS, make_finished_run, make_run


@pytest.fixture
def run(ada: User, council: CouncilConfiguration) -> CouncilRun:
    return make_finished_run(ada, council)


def put(api: Client, run: CouncilRun, body: Any) -> Any:
    return api.put(f"/api/v1/runs/{run.public_id}/feedback/", body, content_type="application/json")


def test_a_verdict_with_its_reason_is_kept_and_answered(api: Client, run: CouncilRun, ada: User) -> None:
    answer = put(api, run, {"verdict": "down", "reason": "Too short."})

    assert answer.status_code == 200
    assert (answer.json()["verdict"], answer.json()["reason"]) == ("down", "Too short.")
    feedback = Feedback.objects.get()
    assert (feedback.run, feedback.by, feedback.verdict, feedback.reason) == (run, ada, "down", "Too short.")


def test_said_again_it_replaces_what_was_said(api: Client, run: CouncilRun) -> None:
    put(api, run, {"verdict": "down", "reason": "Too short."})
    put(api, run, {"verdict": "up"})

    assert list(Feedback.objects.values_list("verdict", "reason")) == [("up", "")]


def test_it_can_be_taken_back_any_number_of_times(api: Client, run: CouncilRun) -> None:
    put(api, run, {"verdict": "up"})
    for _ in range(2):
        assert api.delete(f"/api/v1/runs/{run.public_id}/feedback/").status_code == 204
    assert not Feedback.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"verdict": "sideways"},
        {"verdict": None},
        {"verdict": ["up"]},
        {"verdict": "up", "reason": 7},
        {"verdict": "up", "by": "bob"},
        [],
    ],
)
def test_a_body_that_is_wrong_is_refused(api: Client, run: CouncilRun, body: Any) -> None:
    answer = put(api, run, body)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert not Feedback.objects.exists()


@pytest.mark.parametrize(("reason", "code"), [("x" * 2001, "reason_too_long"), ("a\x00b", "invalid_text"), ("\ud800", "invalid_text")])
def test_a_reason_that_cannot_be_kept_is_refused(api: Client, run: CouncilRun, reason: str, code: str) -> None:
    answer = put(api, run, {"verdict": "up", "reason": reason})

    assert answer.status_code == 400
    assert answer.json()["code"] in {code, "invalid"}
    assert not Feedback.objects.exists()


def test_a_run_without_an_answer_cannot_be_judged(api: Client, ada: User, council: CouncilConfiguration) -> None:
    answer = put(api, make_run(ada, council), {"verdict": "up"})

    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_judge")


def test_a_blind_run_is_not_blind_to_programs(api: Client, ada: User, run: CouncilRun) -> None:
    CouncilRun.objects.update(blind=True)

    record = api.get(f"/api/v1/runs/{run.public_id}/").json()

    assert (record["blind"], record["pick"], record["feedback"]) == (True, None, None)
    assert [opinion["agent_id"] for opinion in record["opinions"]] == list(AGENTS)


def test_the_record_holds_the_pick_and_the_own_feedback(api: Client, ada: User, bob: User, run: CouncilRun) -> None:
    AnswerPick.objects.create(run=run, by=ada, outcome=PickOutcome.PICKED, candidate="agent_2", shown=["agent_3", "agent_2"])
    Feedback.objects.create(run=run, by=ada, verdict="up", reason="Clear.")
    Feedback.objects.create(run=run, by=bob, verdict="down", reason="Somebody else's.")

    record = api.get(f"/api/v1/runs/{run.public_id}/").json()

    pick = {name: record["pick"][name] for name in ("outcome", "candidate", "shown")}
    assert pick == {"outcome": "picked", "candidate": "agent_2", "shown": ["agent_3", "agent_2"]}
    assert (record["feedback"]["verdict"], record["feedback"]["reason"]) == ("up", "Clear.")
