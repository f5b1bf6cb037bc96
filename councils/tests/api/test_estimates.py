"""POST /api/v1/councils/{slug}/estimate/: what a question would cost, what that goes by, and who could pay."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from councils.models import (
    ApiKey,
    AtLimit,
    Budget,
    BudgetAccount,
    BudgetPeriod,
    CouncilConfiguration,
    CouncilMember,
    CouncilRun,
    ModelInfo,
    User,
)
from councils.models.budget import MOST_USD, to_units
from councils.tests.api.rows import end_run, make_council, make_finished_run, make_run, make_user
from councils.tests.api.test_schema import check, schema

__all__ = ["schema"]

ADDRESS = "/api/v1/councils/wise/estimate/"


def estimate(api: Client, status: int = 200, address: str = ADDRESS, **body: Any) -> dict[str, Any]:
    answer = api.post(address, {"question": "Why is the sky blue?"} | body, content_type="application/json")
    assert answer.status_code == status
    found: dict[str, Any] = answer.json()
    return found


def test_it_says_low_expected_and_high_and_what_they_go_by(api: Client, council: CouncilConfiguration) -> None:
    found = estimate(api)

    low, expected, high = (Decimal(found[name]) for name in ("low_usd", "expected_usd", "high_usd"))
    assert 0 < low < expected < high
    assert found["assumes"] == {"question_chars": 20, "history_chars": 0, "seats": 4, "seats_with_past": 0}
    assert (found["reason"], found["budgets"], found["fits"]) == ("", [], True)
    assert not CouncilRun.objects.exists()


def test_the_past_of_seats_counts_and_a_conversation_makes_it_dearer(api: Client, ada: User, council: CouncilConfiguration) -> None:
    run = end_run(make_finished_run(ada, council))

    found = estimate(api, conversation=run.conversation.public_id)

    assert found["assumes"]["seats_with_past"] == 4
    assert found["assumes"]["history_chars"] > 0
    assert Decimal(found["high_usd"]) > Decimal(estimate(api)["high_usd"])


def test_one_seat_alone_costs_less(api: Client, council: CouncilConfiguration) -> None:
    alone = estimate(api, member="agent_2")

    assert Decimal(alone["high_usd"]) < Decimal(estimate(api)["high_usd"])
    assert alone["assumes"]["seats"] == 1


def test_a_missing_price_is_null_with_the_reason(api: Client, council: CouncilConfiguration) -> None:
    Budget.objects.create(limit_usd=5)
    ModelInfo.objects.update(cost_per_1k_output_tokens=None)

    found = estimate(api)

    assert [found[name] for name in ("low_usd", "expected_usd", "high_usd")] == [None] * 3
    assert "small:1b" in found["reason"]
    assert [(share["needed_usd"], share["fits"]) for share in found["budgets"]] == [(None, False)]
    assert not found["fits"]


def test_free_models_cost_nothing_and_fit_into_an_empty_budget(api: Client, council: CouncilConfiguration) -> None:
    Budget.objects.create(limit_usd=0)
    ModelInfo.objects.update(cost_per_1k_input_tokens=0, cost_per_1k_output_tokens=0)

    found = estimate(api)

    assert {Decimal(found[name]) for name in ("low_usd", "expected_usd", "high_usd")} == {Decimal(0)}
    assert found["fits"]


@pytest.mark.parametrize("policy", AtLimit.values)
def test_what_it_says_of_a_budget_is_what_happens(api: Client, ada: User, council: CouncilConfiguration, policy: str) -> None:
    budget = Budget.objects.create(user=ada, limit_usd=1_000, at_limit=policy)
    needed = Decimal(estimate(api)["budgets"][0]["needed_usd"])

    for left, fits in ((needed, True), (needed - Decimal("0.00000001"), False)):
        BudgetAccount.objects.all().delete()
        CouncilRun.objects.all().delete()
        make_account(budget, spent=budget.limit_usd - left)
        found = estimate(api)
        assert (found["fits"], found["budgets"][0]["fits"]) == (fits, fits)
        assert Decimal(found["budgets"][0]["budget"]["left_usd"]) == left
        asked = api.post("/api/v1/runs/", {"question": "Why is the sky blue?", "council": "wise"}, content_type="application/json")
        assert asked.status_code == (202 if fits else 402)


def make_account(budget: Budget, *, spent: Decimal) -> None:
    start = BudgetPeriod(budget.period).start(timezone.now())
    BudgetAccount.objects.create(budget=budget, period_start=start, spent=to_units(spent))


def test_the_budgets_are_those_that_would_pay(api: Client, ada: User, council: CouncilConfiguration) -> None:
    key = ApiKey.objects.get(user=ada)
    for scope in (
        {},
        {"user": ada},
        {"council": council},
        {"api_key": key},
        {"user": make_user("other")},
        {"council": make_council("else")},
    ):
        Budget.objects.create(limit_usd=7, **scope)

    scopes = [share["budget"]["scope"] for share in estimate(api)["budgets"]]

    assert sorted(scopes) == ["api_key", "council", "everybody", "user"]


def test_it_holds_exactly_what_the_schema_says(schema: dict[str, Any], api: Client, council: CouncilConfiguration) -> None:
    Budget.objects.create(limit_usd=7)

    check(schema, {"$ref": "#/components/schemas/Estimate"}, estimate(api), "estimate")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"question": " "}, 400, "empty_question"),
        ({"question": "x" * 200_001}, 400, "question_too_long"),
        ({"question": "a\x00"}, 400, "invalid_text"),
        ({"member": "agent_9"}, 400, "unknown_member"),
        ({"conversation": "a" * 26}, 400, "invalid"),
        ({"price": 0}, 400, "invalid"),
    ],
)
def test_what_could_not_be_asked_is_refused_in_the_same_words(
    api: Client, council: CouncilConfiguration, body: dict[str, Any], status: int, code: str
) -> None:
    assert estimate(api, status, **body)["code"] == code


def test_a_conversation_of_somebody_else_is_none(api: Client, bob: User, council: CouncilConfiguration) -> None:
    run = make_run(bob, council)

    assert estimate(api, 400, conversation=run.conversation.public_id)["detail"] == {"conversation": ["There is no such conversation."]}


def test_a_council_with_too_few_members_is_refused(api: Client, council: CouncilConfiguration) -> None:
    CouncilMember.objects.filter(council=council, position__gt=0).delete()

    assert estimate(api, 409)["code"] == "council_unavailable"


def test_runs_seats_and_budgets_take_no_more_queries(api: Client, ada: User, council: CouncilConfiguration) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            estimate(api)
        return len(queries)

    Budget.objects.create(limit_usd=7)
    end_run(make_finished_run(ada, council))
    before = cost()
    Budget.objects.create(limit_usd=7, user=ada)
    for _ in range(2):
        end_run(make_finished_run(ada, council))

    assert cost() == before


@pytest.mark.parametrize("policy", AtLimit.values)
def test_a_price_and_a_budget_as_large_as_they_can_be_stored_are_answered(api: Client, council: CouncilConfiguration, policy: str) -> None:
    ModelInfo.objects.update(cost_per_1k_input_tokens=Decimal("999999.99999999"), cost_per_1k_output_tokens=Decimal("999999.99999999"))
    Budget.objects.create(limit_usd=Decimal("9999999999.9999"), at_limit=policy)

    told = estimate(api, question="Why? " * 20_000)
    started = api.post("/api/v1/runs/", {"question": "Why? " * 20_000, "council": "wise"}, content_type="application/json")

    assert Decimal(told["high_usd"]) > MOST_USD
    assert told["budgets"][0]["budget"]["left_usd"] == "9999999999.99990000"
    assert (told["fits"], started.status_code) == (False, 402)
