"""What programs are told of money: what was spent, what is left, and why a question was refused."""

from decimal import Decimal

import pytest
from django.test import Client

from councils.models import ApiKey, Budget, BudgetHold, BudgetPeriod, CouncilConfiguration, CouncilRun, User
from councils.tests.api.conftest import ClientOf
from councils.tests.api.rows import make_finished_run

QUESTION = {"question": "Which is best?"}


def test_usage_is_summed_up_by_day_month_and_council(api: Client, ada: User, bob: User, council: CouncilConfiguration) -> None:
    run = make_finished_run(ada, council)
    make_finished_run(bob, council)

    usage = api.get("/api/v1/usage/").json()

    assert usage["today"]["total"]["questions"] == usage["month"]["total"]["questions"] == 1
    assert usage["month"]["by_council"][0]["council"] == council.name
    assert Decimal(usage["month"]["total"]["known_cost_usd"]) == run.known_cost_usd
    assert usage["budgets"] == []


def test_usage_names_the_budgets_of_the_user_the_key_and_everybody(client_of: ClientOf, ada: User, bob: User) -> None:
    client = client_of(ada)
    Budget.objects.create(limit_usd=Decimal(3), api_key=ApiKey.objects.get(user=ada))
    Budget.objects.create(limit_usd=Decimal(2), user=ada, period=BudgetPeriod.DAY)
    Budget.objects.create(limit_usd=Decimal(4))
    Budget.objects.create(limit_usd=Decimal(1), user=bob)

    budgets = client.get("/api/v1/usage/").json()["budgets"]

    assert [(b["scope"], b["period"], b["left_usd"]) for b in budgets] == [
        ("user", "day", "2.00000000"),
        ("api_key", "month", "3.00000000"),
        ("everybody", "month", "4.00000000"),
    ]
    assert all(b["renews_at"].endswith("T00:00:00Z") for b in budgets)


def test_a_refusal_says_which_budget_what_is_left_and_until_when(api: Client, council: CouncilConfiguration) -> None:
    Budget.objects.create(limit_usd=Decimal("0.0001"), council=council, period=BudgetPeriod.DAY)

    answer = api.post("/api/v1/runs/", QUESTION, content_type="application/json")

    body = answer.json()
    assert (answer.status_code, body["code"]) == (402, "budget_exceeded")
    assert body["detail"] | {"needed_usd": "", "renews_at": ""} == {
        "budget": "council",
        "period": "day",
        "limit_usd": "0.0001",
        "left_usd": "0.00010000",
        "needed_usd": "",
        "renews_at": "",
    }
    assert Decimal(body["detail"]["needed_usd"]) > Decimal("0.0001")
    assert body["detail"]["renews_at"].endswith("T00:00:00+00:00")
    assert not CouncilRun.objects.exists()


def test_a_key_has_a_budget_of_its_own(client_of: ClientOf, ada: User, council: CouncilConfiguration) -> None:
    poor, rich = client_of(ada), client_of(ada)
    key = ApiKey.objects.order_by("pk")[0]
    Budget.objects.create(limit_usd=Decimal("0.0001"), api_key=key)

    assert poor.post("/api/v1/runs/", QUESTION, content_type="application/json").status_code == 402
    assert rich.post("/api/v1/runs/", QUESTION, content_type="application/json").status_code == 202
    assert CouncilRun.objects.get().api_key != key
    assert not BudgetHold.objects.exists()


def test_a_run_knows_the_key_that_it_was_started_with(api: Client, ada: User, council: CouncilConfiguration) -> None:
    api.post("/api/v1/runs/", QUESTION, content_type="application/json")

    assert CouncilRun.objects.get().api_key == ApiKey.objects.get(user=ada)


@pytest.mark.django_db
def test_usage_is_for_those_who_are_signed_in(client: Client) -> None:
    assert client.get("/api/v1/usage/").status_code == 401


def test_a_budget_of_the_largest_limit_is_shown(api: Client) -> None:
    Budget.objects.create(limit_usd=Decimal("9999999999.9999"))

    assert api.get("/api/v1/usage/").json()["budgets"][0]["left_usd"] == "9999999999.99990000"
