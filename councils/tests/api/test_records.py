"""Reading runs, their events, councils, models and conversations."""

from typing import Any

import pytest
from django.test import Client

from councils.models import Conversation, CouncilConfiguration, CouncilRun, MessageRole, ModelInfo, User
from councils.services.asking import cancel_run
from councils.tests.api.rows import AGENTS, end_run, make_council, make_finished_run, make_model, make_run


@pytest.fixture
def run(ada: User, council: CouncilConfiguration) -> CouncilRun:
    return make_finished_run(ada, council)


@pytest.fixture
def record(api: Client, run: CouncilRun) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/api/v1/runs/{run.public_id}/").json()
    return found


class TestTheRecordOfARun:
    def test_it_tells_the_question_and_how_it_ended(self, record: dict[str, Any]) -> None:
        told = {name: record[name] for name in ("question", "status", "answer", "answer_by", "reason", "consensus_score", "marks")}

        assert told == {
            "question": "Why is the sky blue?",
            "status": "succeeded",
            "answer": "Light scatters.",
            "answer_by": "chairman",
            "reason": "The chairman wrote this.",
            "consensus_score": 0.75,
            "marks": ["degraded"],
        }

    def test_it_shows_every_opinion_with_its_calls(self, record: dict[str, Any]) -> None:
        assert [opinion["agent_id"] for opinion in record["opinions"]] == list(AGENTS)
        first = record["opinions"][0]
        assert first["text"] == "It scatters, says agent_1."
        assert [(call["status"], call["total_tokens"], call["cost_usd"], call["latency_ms"]) for call in first["calls"]] == [
            ("done", 150, "0.00150000", 1200)
        ]

    def test_it_shows_ballots_and_why_one_was_not_counted(self, record: dict[str, Any]) -> None:
        *counted, bad = record["reviews"]

        assert [review["ballot"]["tiers"] for review in counted[:1]] == [[["agent_2"], ["agent_3"], ["agent_4"]]]
        assert [review["problem"] for review in counted] == ["", "", ""]
        assert (bad["ballot"], bad["status"], bad["problem"]) == (None, "invalid", "There is no ballot in it.")

    def test_it_shows_the_tally_of_all_methods(self, record: dict[str, Any]) -> None:
        tally = record["tally"]

        assert (tally["winner"], tally["counted"], tally["cast"]) == (tally["order"][0], 3, 4)
        assert set(tally["winners"]) == {"ranked_choice", "weighted", "borda", "copeland", "schulze"}
        assert record["first_tally"] is None

    def test_a_call_of_unknown_cost_is_null_and_never_zero(self, record: dict[str, Any]) -> None:
        broken, retried = record["synthesis"]["calls"]

        assert (broken["status"], broken["cost_usd"], broken["error_kind"], broken["error_message"]) == (
            "broken",
            None,
            "broken_stream",
            "The answer broke off or was not in the provider's protocol.",
        )
        assert (retried["attempt"], retried["status"]) == (2, "done")
        assert record["totals"]["cost_usd"] is None
        assert record["totals"]["known_cost_usd"] == "0.01350000"

    def test_tokens_are_told_by_stage_and_model(self, record: dict[str, Any]) -> None:
        usage = record["token_usage"]

        assert usage["stage1_opinions"] == {
            "stage": "opinions",
            "calls": 4,
            "calls_without_usage": 0,
            "total_prompt_tokens": 400,
            "total_completion_tokens": 200,
            "total_tokens": 600,
            "by_model": {
                "small:1b": {
                    "calls": 4,
                    "calls_without_usage": 0,
                    "total_prompt_tokens": 400,
                    "total_completion_tokens": 200,
                    "total_tokens": 600,
                }
            },
        }
        assert usage["stage3_synthesis"]["calls_without_usage"] == 1
        assert usage["total_tokens"] == 9 * 150

    def test_latency_is_told_by_stage_and_model(self, record: dict[str, Any]) -> None:
        opinions = record["latency"]["stage1_opinions"]

        assert (opinions["total_latency_ms"], opinions["average_latency_ms"], opinions["max_latency_ms"]) == (4800, 1200, 1200)
        assert opinions["duration_ms"] >= 2000
        assert opinions["by_model"]["small:1b"]["calls"] == 4
        assert record["latency"]["duration_ms"] == pytest.approx(9000, abs=100)

    def test_seats_and_rules_are_those_of_the_start(self, api: Client, run: CouncilRun, council: CouncilConfiguration) -> None:
        council.members.all().delete()
        council.delete()

        record = api.get(f"/api/v1/runs/{run.public_id}/").json()

        assert record["council"] == {"slug": None, "name": "Wise"}
        assert [(seat["agent_id"], seat["model"], seat["provider"]) for seat in record["seats"]] == [
            (a, "small:1b", "Here") for a in AGENTS
        ]
        assert record["rules"]["voting_system"] == "ranked_choice"
        assert record["rules"]["chairmen"] == ["small:1b"]

    def test_the_second_count_stands_and_the_first_stays_visible(self, api: Client, run: CouncilRun) -> None:
        first = run.steps.get(key="tally")
        run.steps.create(key="tally:2", stage="review", status="done", payload={**first.payload, "winner": "agent_3"})

        record = api.get(f"/api/v1/runs/{run.public_id}/").json()

        assert record["tally"]["winner"] == "agent_3"
        assert record["first_tally"] == first.payload

    def test_nothing_of_the_providers_is_told_but_names(self, api: Client, run: CouncilRun) -> None:
        told = api.get(f"/api/v1/runs/{run.public_id}/").content.decode()

        assert "127.0.0.1" not in told
        assert "base_url" not in told
        assert "api_key" not in told

    def test_a_run_that_has_just_begun_can_be_read(self, api: Client, ada: User, council: CouncilConfiguration) -> None:
        queued = make_run(ada, council)

        record = api.get(f"/api/v1/runs/{queued.public_id}/").json()

        assert (record["status"], record["opinions"], record["tally"], record["synthesis"]) == ("queued", [], None, None)
        assert record["token_usage"]["stage1_opinions"]["by_model"] == {}
        assert record["latency"]["stage1_opinions"]["duration_ms"] is None
        assert record["latency"]["stage1_opinions"]["average_latency_ms"] is None


class TestEvents:
    def test_they_come_in_order_after_the_last_one_had(self, api: Client, ada: User, council: CouncilConfiguration) -> None:
        run = make_run(ada, council)
        cancel_run(run=run, by=ada)

        page = api.get(f"/api/v1/runs/{run.public_id}/events/").json()
        rest = api.get(f"/api/v1/runs/{run.public_id}/events/?after=1").json()

        assert [(event["seq"], event["type"]) for event in page["events"]] == [(1, "run_queued"), (2, "run_finished")]
        assert [event["seq"] for event in rest["events"]] == [2]
        assert (page["next_after"], page["finished"], page["status"]) == (2, True, "cancelled")

    def test_a_limit_leaves_the_rest_for_the_next_page(self, api: Client, ada: User, council: CouncilConfiguration) -> None:
        run = make_run(ada, council)
        cancel_run(run=run, by=ada)

        page = api.get(f"/api/v1/runs/{run.public_id}/events/?limit=1").json()

        assert ([event["seq"] for event in page["events"]], page["next_after"], page["finished"]) == ([1], 1, False)

    def test_when_there_is_nothing_new_one_asks_again_from_the_same_place(
        self, api: Client, ada: User, council: CouncilConfiguration
    ) -> None:
        run = make_run(ada, council)

        page = api.get(f"/api/v1/runs/{run.public_id}/events/?after=1").json()

        assert (page["events"], page["next_after"], page["finished"]) == ([], 1, False)

    def test_the_last_event_brings_the_answer(self, api: Client, run: CouncilRun) -> None:
        run.events.create(seq=run.next_seq, type="run_finished", payload={"status": "succeeded"})

        last = api.get(f"/api/v1/runs/{run.public_id}/events/").json()["events"][-1]

        assert last["answer"] == "Light scatters."


class TestCancelling:
    def test_it_ends_a_run(self, api: Client, ada: User, council: CouncilConfiguration) -> None:
        run = make_run(ada, council)

        answer = api.post(f"/api/v1/runs/{run.public_id}/cancel/", content_type="application/json")

        assert (answer.status_code, answer.json()["status"]) == (202, "cancelled")
        run.refresh_from_db()
        assert run.cancelled_by == ada

    def test_a_run_that_has_ended_stays_as_it_is(self, api: Client, run: CouncilRun) -> None:
        answer = api.post(f"/api/v1/runs/{run.public_id}/cancel/", content_type="application/json")

        assert (answer.status_code, answer.json()["status"]) == (202, "succeeded")

    def test_it_takes_no_orders(self, api: Client, ada: User, council: CouncilConfiguration) -> None:
        run = make_run(ada, council)

        answer = api.post(f"/api/v1/runs/{run.public_id}/cancel/", {"later": True}, content_type="application/json")

        assert answer.status_code == 400
        run.refresh_from_db()
        assert run.is_live


class TestLists:
    def test_runs_come_newest_first_in_pages(self, api: Client, ada: User, council: CouncilConfiguration) -> None:
        runs = [make_run(ada, council, f"Question {number}?") for number in range(3)]

        page = api.get("/api/v1/runs/?page_size=2").json()

        assert page["count"] == 3
        assert [run["id"] for run in page["results"]] == [runs[2].public_id, runs[1].public_id]
        assert [run["id"] for run in api.get(page["next"]).json()["results"]] == [runs[0].public_id]

    def test_runs_can_be_picked_by_status_and_conversation(self, api: Client, ada: User, council: CouncilConfiguration) -> None:
        ended, live = end_run(make_run(ada, council)), make_run(ada, council)

        def found(query: str) -> list[str]:
            return [run["id"] for run in api.get(f"/api/v1/runs/?{query}").json()["results"]]

        assert found("status=queued") == [live.public_id]
        assert found(f"conversation={ended.conversation.public_id}") == [ended.public_id]
        assert found(f"status=queued&conversation={ended.conversation.public_id}") == []
        assert found(f"conversation={'a' * 26}") == []

    def test_councils_say_whether_they_can_be_asked_and_why_not(self, api: Client, council: CouncilConfiguration) -> None:
        make_council("thin", seats=1)

        wise, thin = api.get("/api/v1/councils/").json()["results"]

        assert (wise["slug"], wise["can_be_asked"], wise["problem"]) == ("wise", True, "")
        assert [seat["agent_id"] for seat in wise["seats"]] == list(AGENTS)
        assert wise["seats"][0]["model"] == "here/small:1b"
        assert (thin["slug"], thin["can_be_asked"]) == ("thin", False)
        assert "needs at least 3 answering seats and has 1" in thin["problem"]

    def test_a_seat_without_a_working_model_counts_as_none(self, api: Client, council: CouncilConfiguration) -> None:
        council.members.update(model=make_model("off"))
        ModelInfo.objects.filter(name="off").update(is_active=False)

        assert api.get("/api/v1/councils/wise/").json()["can_be_asked"] is False

    def test_a_model_is_found_by_its_id_whatever_its_name_holds(self, api: Client) -> None:
        make_model("vendor/large model:70b")

        listed = api.get("/api/v1/models/").json()["results"]
        read = api.get(f"/api/v1/models/{listed[0]['id']}/")

        assert listed[0]["id"] == "here/vendor/large model:70b"
        assert read.json() == listed[0]
        assert read.json()["cost_per_1k_input_tokens"] == "0.01000000"

    def test_unknown_prices_are_null(self, api: Client) -> None:
        model = make_model()
        model.cost_per_1k_input_tokens = None
        model.save()

        assert api.get("/api/v1/models/here/small:1b/").json()["cost_per_1k_input_tokens"] is None


class TestConversations:
    def test_one_is_read_with_its_messages_and_runs(self, api: Client, run: CouncilRun) -> None:
        found = api.get(f"/api/v1/conversations/{run.conversation.public_id}/").json()

        assert found["message_count"] == 2
        assert [(message["role"], message["text"]) for message in found["messages"]] == [
            ("user", "Why is the sky blue?"),
            ("assistant", "Light scatters."),
        ]
        assert [message["run"] for message in found["messages"]] == [None, run.public_id]
        assert [each["id"] for each in found["runs"]] == [run.public_id]

    def test_a_long_one_shows_its_newest_messages_and_pages_all(self, api: Client, run: CouncilRun) -> None:
        for number in range(60):
            run.conversation.messages.create(role=MessageRole.USER, text=f"{number}")
        address = f"/api/v1/conversations/{run.conversation.public_id}/"

        shown = [message["text"] for message in api.get(address).json()["messages"]]
        first_page = api.get(f"{address}messages/?page_size=100").json()

        assert shown == [str(number) for number in range(10, 60)]
        assert (first_page["count"], first_page["results"][0]["text"]) == (62, "Why is the sky blue?")

    def test_it_can_be_renamed_and_put_away_and_taken_back(self, api: Client, run: CouncilRun) -> None:
        address = f"/api/v1/conversations/{run.conversation.public_id}/"

        def change(**fields: Any) -> Any:
            return api.patch(address, fields, content_type="application/json").json()

        def listed(query: str = "") -> int:
            return int(api.get(f"/api/v1/conversations/{query}").json()["count"])

        assert change(title="The sky")["title"] == "The sky"
        assert change(archived=True)["archived"] is True
        assert (listed(), listed("?archived=true")) == (0, 1)
        assert change(archived=False) == change(archived=False)
        assert (listed(), listed("?archived=true")) == (1, 0)

    @pytest.mark.parametrize("body", [{"title": "x" * 201}, {"title": 7}, {"archived": "yes"}, {"archived": 1}, {"owner": 1}])
    def test_a_change_that_makes_no_sense_changes_nothing(self, api: Client, run: CouncilRun, body: dict[str, Any]) -> None:
        before = Conversation.objects.values().get()

        answer = api.patch(f"/api/v1/conversations/{run.conversation.public_id}/", body, content_type="application/json")

        assert (answer.status_code, list(answer.json()["detail"])) == (400, list(body))
        assert Conversation.objects.values().get() == before

    def test_a_deleted_one_is_gone_with_its_runs_and_its_live_run_is_cancelled(
        self, api: Client, ada: User, council: CouncilConfiguration
    ) -> None:
        run = make_run(ada, council)

        answer = api.delete(f"/api/v1/conversations/{run.conversation.public_id}/")

        assert (answer.status_code, answer.content) == (204, b"")
        assert api.get(f"/api/v1/conversations/{run.conversation.public_id}/").status_code == 404
        assert api.get(f"/api/v1/runs/{run.public_id}/").status_code == 404
        run.refresh_from_db()
        assert run.status == "cancelled"
