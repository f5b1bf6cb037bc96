"""The page that says who spent what, and the bars of budgets."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from councils.models import Budget, BudgetAccount, BudgetPeriod
from councils.models.budget import UNIT_USD
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.factories import make_run, make_user

pytestmark = pytest.mark.django_db
PAGE = "/admin/councils/ledgerentry/spending/"


@pytest.mark.parametrize("by", ["user", "council", "key", "model", "nonsense"])
def test_each_view_opens_and_leads_to_what_makes_up_its_sums(admin: Client, by: str) -> None:
    run = make_run(owner=make_user("ada"))

    page = admin.get(PAGE, {"by": by, "from": "x", "to": "9999-99-99"}).text

    if by in {"user", "nonsense"}:
        assert f"/admin/councils/councilrun/?owner__id__exact={run.owner_id}" in page
        assert admin.get(f"/admin/councils/councilrun/?owner__id__exact={run.owner_id}").status_code == 200


def test_more_people_cost_no_more_queries(admin: Client) -> None:
    make_run()
    with CaptureQueriesContext(connection) as few:
        admin.get(PAGE)
    for _ in range(3):
        make_run()

    with CaptureQueriesContext(connection) as many:
        admin.get(PAGE)

    assert len(many) == len(few)


def test_only_those_who_see_the_ledger_see_its_sums() -> None:
    assert sign_in(staff_with("view_councilrun")).get(PAGE).status_code == 403
    assert sign_in(staff_with("view_ledgerentry")).get(PAGE).status_code == 200


@pytest.mark.parametrize(("spent", "said"), [("0", "0 %"), ("2", "40 %"), ("4.5", "90 %, nearly used up"), ("6", "120 %, used up")])
def test_a_budget_says_how_much_of_it_is_used(admin: Client, spent: str, said: str) -> None:
    budget = Budget.objects.create(limit_usd=5)
    start = BudgetPeriod(budget.period).start(timezone.now())
    BudgetAccount.objects.create(budget=budget, period_start=start, spent=int(Decimal(spent) / UNIT_USD))

    assert said in admin.get("/admin/councils/budget/").text


def test_a_budget_of_nothing_is_used_up(admin: Client) -> None:
    Budget.objects.create(limit_usd=0)

    assert "100 %, used up" in admin.get("/admin/councils/budget/").text
