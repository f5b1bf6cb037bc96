"""The bars of budgets."""

from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from councils.models import Budget, BudgetAccount, BudgetPeriod
from councils.models.budget import UNIT_USD

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("spent", "said"), [("0", "0 %"), ("2", "40 %"), ("4.5", "90 %, nearly used up"), ("6", "120 %, used up")])
def test_a_budget_says_how_much_of_it_is_used(admin: Client, spent: str, said: str) -> None:
    budget = Budget.objects.create(limit_usd=5)
    start = BudgetPeriod(budget.period).start(timezone.now())
    BudgetAccount.objects.create(budget=budget, period_start=start, spent=int(Decimal(spent) / UNIT_USD))

    assert said in admin.get("/admin/councils/budget/").text


def test_a_budget_of_nothing_is_used_up(admin: Client) -> None:
    Budget.objects.create(limit_usd=0)

    assert "100 %, used up" in admin.get("/admin/councils/budget/").text
