"""POST …/retry/, …/regenerate/, …/again/ and one member: what they start, what they keep, what they refuse."""

from typing import Any

import pytest
from django.test import Client

from councils.engine.types import RunStatus, Stage, StepStatus
from councils.models import CouncilConfiguration, CouncilMember, CouncilRun, Message, ModelInfo, User
from councils.tests.api.conftest import Answer, ClientOf
from councils.tests.api.rows import add_step, end_run, make_council, make_finished_run, make_run

WAYS = ("retry", "regenerate", "again")


@pytest.fixture
def run(ada: User, council: CouncilConfiguration) -> CouncilRun:
    """A run in which everything went well but one ballot: every way is open."""
    return make_finished_run(ada, council)


def go_on(api: Client, run: CouncilRun, way: str, key: str = "") -> Answer:
    headers = {"Idempotency-Key": key} if key else {}
    return api.post(f"/api/v1/runs/{run.public_id}/{way}/", {}, content_type="application/json", headers=headers)


def record(api: Client, answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = api.get(answer.headers["Location"]).json()
    return found


@pytest.mark.parametrize(("way", "course"), [("retry", "retry"), ("regenerate", "synthesis"), ("again", "full")])
def test_each_way_starts_a_version_of_the_same_question(api: Client, run: CouncilRun, way: str, course: str) -> None:
    answer = go_on(api, run, way)

    assert answer.status_code == 202
    body = answer.json()
    assert (body["course"], body["based_on"], body["message"], body["status"], body["origin"]) == (
        course,
        run.public_id,
        run.message.public_id,
        "queued",
        "api",
    )
    assert Message.objects.filter(role="user").count() == 1


def test_kept_steps_say_so_and_cost_nothing_here(api: Client, run: CouncilRun) -> None:
    newer = record(api, go_on(api, run, "regenerate"))

    assert len(newer["opinions"]) == len(newer["reviews"]) == 4
    assert all(step["carried"] and step["calls"] == [] for step in newer["opinions"] + newer["reviews"])
    assert (newer["totals"]["total_tokens"], newer["totals"]["cost_usd"]) == (0, "0.00000000")
    assert newer["tally"] == api.get(f"/api/v1/runs/{run.public_id}/").json()["tally"]
    assert newer["synthesis"] is None
    assert newer["latency"]["stage1_opinions"]["duration_ms"] is None


def test_a_first_run_is_full_and_based_on_nothing(api: Client, run: CouncilRun) -> None:
    body = api.get(f"/api/v1/runs/{run.public_id}/").json()

    assert (body["course"], body["based_on"], body["member"], body["is_readable"]) == ("full", None, "", True)
    assert not any(step["carried"] for step in body["opinions"])


@pytest.mark.parametrize("way", WAYS)
def test_one_key_makes_one_run(api: Client, run: CouncilRun, way: str) -> None:
    first, second = go_on(api, run, way, "k1"), go_on(api, run, way, "k1")

    assert first.json()["id"] == second.json()["id"]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert CouncilRun.objects.count() == 2


def test_one_key_for_two_ways_is_refused(api: Client, run: CouncilRun) -> None:
    go_on(api, run, "retry", "k1")

    answer = go_on(api, run, "regenerate", "k1")

    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_goes_on_is_waited_for(api: Client, ada: User, council: CouncilConfiguration, way: str) -> None:
    answer = go_on(api, make_run(ada, council), way)

    assert (answer.status_code, answer.json()["code"]) == (409, "conversation_busy")


def test_nothing_failed_and_no_chairman_have_codes_of_their_own(api: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(ada, council)
    add_step(run, "opinion:agent_1", Stage.OPINIONS, "agent_1", text="It scatters.")
    CouncilRun.objects.filter(pk=run.pk).update(status=RunStatus.PARTIAL)

    answer = go_on(api, run, "regenerate")

    assert (answer.status_code, answer.json()["code"]) == (409, "not_repeatable")


def test_a_model_that_is_gone_is_named(api: Client, run: CouncilRun) -> None:
    ModelInfo.objects.update(is_active=False)

    answer = go_on(api, run, "retry")

    assert (answer.status_code, answer.json()["code"]) == (409, "models_gone")
    assert "Member 4" in answer.json()["message"]


@pytest.mark.parametrize("way", WAYS)
def test_a_body_that_says_something_is_refused(api: Client, run: CouncilRun, way: str) -> None:
    answer = api.post(f"/api/v1/runs/{run.public_id}/{way}/", {"question": "Why?"}, content_type="application/json")

    assert answer.status_code == 400
    assert CouncilRun.objects.count() == 1


@pytest.mark.parametrize("way", WAYS)
def test_what_is_somebody_elses_is_not_there(client_of: ClientOf, bob: User, staff: User, run: CouncilRun, way: str) -> None:
    assert [go_on(client_of(person), run, way).status_code for person in (bob, staff)] == [404, 404]


class TestOneMember:
    def ask(self, api: Client, **body: Any) -> Answer:
        return api.post("/api/v1/runs/", {"question": "And you?", **body}, content_type="application/json")

    def test_a_seat_can_be_asked_instead_of_its_council(self, api: Client, run: CouncilRun) -> None:
        answer = self.ask(api, member="agent_2", conversation=run.conversation.public_id)

        assert answer.status_code == 202
        assert (answer.json()["course"], answer.json()["member"]) == ("member", "agent_2")
        body = record(api, answer)
        assert [seat["agent_id"] for seat in body["seats"]] == ["agent_2"]
        assert (body["rules"]["enable_peer_review"], body["rules"]["chairmen"]) == (False, [])

    @pytest.mark.parametrize("member", ["agent_9", "chairman", "AGENT_1", "x" * 32])
    def test_a_seat_that_the_council_does_not_have_is_unknown(self, api: Client, council: CouncilConfiguration, member: str) -> None:
        answer = self.ask(api, member=member)

        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_member")
        assert not CouncilRun.objects.exists()

    def test_a_seat_that_only_reviews_gives_no_answers(self, api: Client, council: CouncilConfiguration) -> None:
        CouncilMember.objects.filter(agent_id="agent_2").update(answers=False)

        assert self.ask(api, member="agent_2").json()["code"] == "unknown_member"

    def test_a_seat_whose_model_is_off_is_named(self, api: Client, council: CouncilConfiguration) -> None:
        other = make_council("other").members.get(agent_id="agent_2")
        ModelInfo.objects.filter(pk=other.model_id).update(is_active=False)

        answer = self.ask(api, member="agent_2")

        assert (answer.status_code, answer.json()["code"]) == (409, "council_unavailable")
        assert "The model of Member 2 is switched off." in answer.json()["message"]

    def test_one_member_of_a_council_that_is_too_small_can_be_asked(self, api: Client) -> None:
        make_council("thin", seats=2)

        assert self.ask(api, council="thin").status_code == 409
        assert self.ask(api, council="thin", member="agent_1").status_code == 202

    def test_one_key_for_the_council_and_for_a_member_is_refused(self, api: Client, council: CouncilConfiguration) -> None:
        body = {"question": "Why?"}
        for sent, status in ((body, 202), ({**body, "member": "agent_1"}, 409)):
            answer = api.post("/api/v1/runs/", sent, content_type="application/json", headers={"Idempotency-Key": "k"})
            assert answer.status_code == status


@pytest.mark.parametrize("snapshot", [{"format": 99, "spec": {"seats": [{"who": 1}]}}, {}, {"format": 99, "spec": [], "models": 3}])
def test_a_run_that_another_version_recorded_can_be_read(api: Client, run: CouncilRun, snapshot: dict[str, Any]) -> None:
    CouncilRun.objects.filter(pk=run.pk).update(config_snapshot=snapshot)

    body = api.get(f"/api/v1/runs/{run.public_id}/").json()

    assert (body["is_readable"], body["seats"], body["rules"]["voting_system"], body["rules"]["chairmen"]) == (False, [], None, [])
    assert body["answer"] == run.answer
    assert len(body["opinions"]) == 4


def test_steps_that_failed_are_not_kept_by_a_retry(api: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(ada, council)
    add_step(run, "opinion:agent_1", Stage.OPINIONS, "agent_1", text="It scatters.")
    add_step(run, "opinion:agent_2", Stage.OPINIONS, "agent_2", status=StepStatus.FAILED)
    end_run(run)

    newer = record(api, go_on(api, run, "retry"))

    assert [(step["key"], step["carried"], step["text"]) for step in newer["opinions"]] == [("opinion:agent_1", True, "It scatters.")]
