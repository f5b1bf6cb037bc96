"""POST /api/v1/runs/: what starts a run, and what does not."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from councils.models import Budget, BudgetHold, Conversation, CouncilConfiguration, CouncilRun, Message, RunOrigin, User
from councils.services.reconciling import differences
from councils.tests.api.conftest import Answer
from councils.tests.api.rows import end_run, make_council, make_run

RUNS = "/api/v1/runs/"


def ask(api: Client, headers: dict[str, str] | None = None, **body: Any) -> Answer:
    return api.post(RUNS, body, content_type="application/json", headers=headers)


def test_a_question_starts_a_run_and_says_where_to_follow_it(api: Client, council: CouncilConfiguration) -> None:
    answer = ask(api, question="Why is the sky blue?", council="wise")

    run = CouncilRun.objects.get()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/runs/{run.public_id}/"
    assert answer.json()["id"] == run.public_id
    assert answer.json()["status"] == "queued"
    assert run.origin == RunOrigin.API
    assert api.get(answer.headers["Location"]).status_code == 200


def test_without_a_council_the_default_one_is_asked(api: Client, council: CouncilConfiguration) -> None:
    make_council("other")

    assert ask(api, question="Why?").json()["council"] == {"slug": "wise", "name": "Wise"}


def test_the_only_council_needs_no_mark_to_be_the_default(api: Client) -> None:
    make_council("only")

    assert ask(api, question="Why?").json()["council"]["slug"] == "only"


def test_several_councils_without_a_default_must_be_named(api: Client) -> None:
    make_council("one")
    make_council("two")

    answer = ask(api, question="Why?")

    assert answer.status_code == 400
    assert answer.json()["detail"] == {"council": ["Name a council: there is no default one."]}


def test_a_follow_up_stays_with_the_council_of_its_conversation(api: Client, ada: User, council: CouncilConfiguration) -> None:
    first = end_run(make_run(ada, make_council("other")))

    answer = ask(api, question="And at night?", conversation=first.conversation.public_id)

    assert answer.status_code == 202
    assert answer.json()["council"]["slug"] == "other"
    assert answer.json()["conversation"] == first.conversation.public_id


def test_a_conversation_answers_one_question_at_a_time(api: Client, ada: User, council: CouncilConfiguration) -> None:
    busy = make_run(ada, council)

    answer = ask(api, question="And at night?", conversation=busy.conversation.public_id)

    assert (answer.status_code, answer.json()["code"]) == (409, "conversation_busy")
    assert Message.objects.count() == 1


@pytest.mark.parametrize("field", ["conversation", "council"])
def test_what_the_question_names_must_exist(api: Client, council: CouncilConfiguration, field: str) -> None:
    named: dict[str, Any] = {field: "nosuch"}
    answer = ask(api, question="Why?", **named)

    assert answer.status_code == 400
    assert answer.json()["detail"] == {field: [f"There is no such {field}."]}


def test_somebody_elses_conversation_looks_like_none(api: Client, bob: User, council: CouncilConfiguration) -> None:
    foreign = end_run(make_run(bob, council)).conversation

    answer = ask(api, question="Why?", conversation=foreign.public_id)

    assert answer.json()["detail"] == {"conversation": ["There is no such conversation."]}
    assert Conversation.objects.count() == 1


def test_a_council_that_is_switched_off_is_unknown_to_users_and_refused_to_staff(
    api: Client, client_of: Any, staff: User, council: CouncilConfiguration
) -> None:
    CouncilConfiguration.objects.update(is_default=False, is_active=False)

    assert ask(api, question="Why?", council="wise").status_code == 400
    refused = ask(client_of(staff), question="Why?", council="wise")
    assert (refused.status_code, refused.json()["code"]) == (409, "council_unavailable")


def test_a_council_with_too_few_working_seats_is_refused_with_the_reason(api: Client) -> None:
    make_council("thin", seats=2)

    answer = ask(api, question="Why?", council="thin")

    assert (answer.status_code, answer.json()["code"]) == (409, "council_unavailable")
    assert "at least 3 answering seats" in answer.json()["message"]


@pytest.mark.parametrize(
    ("question", "code"),
    [("", "empty_question"), (" \n", "empty_question"), ("\u200b\u200d\ufeff", "empty_question"), ("x" * 200_001, "question_too_long")],
)
def test_a_question_that_is_none_is_refused_and_leaves_nothing(
    api: Client, council: CouncilConfiguration, question: str, code: str
) -> None:
    answer = ask(api, question=question)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert not Conversation.objects.exists()


def test_the_longest_question_is_accepted_however_it_is_escaped(api: Client, council: CouncilConfiguration) -> None:
    assert ask(api, question="\U0001f30d" * 200_000).status_code == 202


class TestIdempotency:
    def test_the_same_key_makes_one_run(self, api: Client, council: CouncilConfiguration) -> None:
        first, second = (ask(api, {"Idempotency-Key": "once"}, question="Why?") for _ in range(2))

        assert first.json()["id"] == second.json()["id"]
        assert second.status_code == 202
        assert "Idempotency-Replayed" not in first.headers
        assert second.headers["Idempotency-Replayed"] == "true"
        assert CouncilRun.objects.count() == 1

    def test_the_same_key_with_another_question_is_a_conflict(self, api: Client, council: CouncilConfiguration) -> None:
        ask(api, {"Idempotency-Key": "once"}, question="Why?")

        answer = ask(api, {"Idempotency-Key": "once"}, question="How?")

        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")

    def test_two_users_may_use_the_same_key(self, api: Client, client_of: Any, bob: User, council: CouncilConfiguration) -> None:
        ask(api, {"Idempotency-Key": "once"}, question="Why?")
        ask(client_of(bob), {"Idempotency-Key": "once"}, question="Why?")

        assert CouncilRun.objects.count() == 2

    @pytest.mark.parametrize("key", ["", "two words", "ключ", "k" * 201])
    def test_a_key_that_could_not_be_kept_is_refused(self, api: Client, council: CouncilConfiguration, key: str) -> None:
        answer = ask(api, {"Idempotency-Key": key}, question="Why?")

        assert answer.status_code == 400
        assert list(answer.json()["detail"]) == ["Idempotency-Key"]
        assert not CouncilRun.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_fifty_posts_at_once_with_one_key_make_one_run(self, api: Client, council: CouncilConfiguration) -> None:
        Budget.objects.create(limit_usd=1_000)
        gate = Barrier(50)

        def post(_: int) -> Answer:
            gate.wait()
            try:
                return ask(api, {"Idempotency-Key": "once"}, question="Why?")
            finally:
                connection.close()

        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(post, range(50)))

        assert {answer.status_code for answer in answers} == {202}
        assert {answer.json()["id"] for answer in answers} == {CouncilRun.objects.get().public_id}
        assert Conversation.objects.count() == Message.objects.count() == 1
        # One of them started it, and all others were told that they did not.
        assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
        assert (BudgetHold.objects.count(), differences()) == (1, [])


@pytest.mark.parametrize(("body", "use"), [({}, "full"), ({"cache": True}, "full"), ({"cache": False}, "write")])
def test_a_program_may_refuse_answers_from_the_cache(
    api: Client, council: CouncilConfiguration, settings: Settings, body: dict[str, Any], use: str
) -> None:
    settings.ENABLE_CACHE = True

    assert ask(api, question="Why?", **body).status_code == 202
    assert CouncilRun.objects.get().config_snapshot["cache"] == use


@pytest.mark.parametrize("value", ["false", 0, None])
def test_only_true_and_false_say_whether_the_cache_may_be_used(api: Client, council: CouncilConfiguration, value: object) -> None:
    answer = ask(api, question="Why?", cache=value)

    assert (answer.status_code, set(answer.json()["detail"])) == (400, {"cache"})


def test_with_the_same_key_a_question_without_the_cache_is_another_one(api: Client, council: CouncilConfiguration) -> None:
    headers = {"Idempotency-Key": "sky-1"}
    ask(api, headers, question="Why?")

    assert ask(api, headers, question="Why?", cache=True).status_code == 202
    assert ask(api, headers, question="Why?", cache=False).status_code == 409
