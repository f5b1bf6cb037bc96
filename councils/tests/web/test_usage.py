"""What people see of what they have spent and of what is left."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from councils.models import Budget, BudgetAccount, BudgetPeriod, CouncilConfiguration, CouncilRun, User
from councils.models.budget import to_units
from councils.services.budgeting import standings_for
from councils.tests.factories import make_council, make_run, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return make_user("ada")


@pytest.fixture
def browser(ada: User) -> Client:
    client = Client()
    client.force_login(ada)
    return client


@pytest.fixture
def council() -> CouncilConfiguration:
    return make_council(name="Pricing council")


def page_of(browser: Client, address: str = "/usage/") -> str:
    answer = browser.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_sums_up_today_and_this_month_by_council(browser: Client, ada: User, council: CouncilConfiguration) -> None:
    runs = [make_run(owner=ada, council=council) for _ in range(2)]
    cost = CouncilRun.objects.get(pk=runs[0].pk).known_cost_usd * 2

    page = page_of(browser)

    assert "2 questions" in page
    assert f"{cost:.4f} USD" in page
    assert "Pricing council" in page


def test_other_peoples_questions_and_earlier_months_do_not_count(browser: Client, ada: User, council: CouncilConfiguration) -> None:
    make_run(council=council)
    old = make_run(owner=ada, council=council)
    CouncilRun.objects.filter(pk=old.pk).update(created_at=datetime.now(UTC) - timedelta(days=32))

    assert "You have asked nothing this month." in page_of(browser)


def test_unknown_costs_are_said_and_never_zero(browser: Client, ada: User, council: CouncilConfiguration) -> None:
    make_run(owner=ada, council=council, unknown_costs=3)

    page = page_of(browser)

    assert "The costs of 3 calls are unknown and not in the sums." in page
    assert "and unknown" in page


def test_what_is_left_is_said_with_how_much_and_until_when(browser: Client, ada: User) -> None:
    budget = Budget.objects.create(limit_usd=Decimal(10), user=ada)
    start = BudgetPeriod.MONTH.start(datetime.now(UTC))
    BudgetAccount.objects.create(budget=budget, period_start=start, spent=to_units(Decimal("2.5")), reserved=to_units(Decimal("0.5")))

    page = page_of(browser)

    assert "7.00 USD of 10.00 USD are left this month (your budget). It renews on" in page
    assert '<progress max="100" value="30"' in page
    assert "0.5000 USD are held" in page


def test_without_a_budget_nothing_is_said_of_budgets(browser: Client) -> None:
    assert "What is left" not in page_of(browser)
    assert "budget-line" not in page_of(browser, "/")


def test_the_first_page_names_the_tightest_budget(browser: Client, ada: User, council: CouncilConfiguration) -> None:
    Budget.objects.create(limit_usd=Decimal(100))
    Budget.objects.create(limit_usd=Decimal(3), user=ada, period=BudgetPeriod.DAY)
    Budget.objects.create(limit_usd=Decimal(1), user=make_user())

    page = page_of(browser, "/")

    assert "3.00 USD of 3.00 USD are left today (your budget)." in page
    assert page.count("budget-line") == 1


def test_what_is_left_of_the_chosen_councils_budget_is_said_before_the_question(browser: Client, council: CouncilConfiguration) -> None:
    other = make_council()
    for one, limit in ((council, 3), (other, 1)):
        Budget.objects.create(limit_usd=Decimal(limit), council=one)

    pages = {one.slug: page_of(browser, f"/?council={one.slug}") for one in (council, other)}

    assert f"3.00 USD of 3.00 USD are left this month (the budget of {council.name})." in pages[council.slug]
    assert f"1.00 USD of 1.00 USD are left this month (the budget of {other.name})." in pages[other.slug]


def test_looking_makes_no_account(browser: Client, ada: User) -> None:
    Budget.objects.create(limit_usd=Decimal(3), user=ada)

    page_of(browser)

    assert not BudgetAccount.objects.exists()


def test_an_overdrawn_budget_has_nothing_left(ada: User) -> None:
    budget = Budget.objects.create(limit_usd=Decimal(1), user=ada, period=BudgetPeriod.DAY)
    BudgetAccount.objects.create(budget=budget, period_start=datetime.now(UTC).date(), spent=to_units(Decimal(2)))

    (standing,) = standings_for(by=ada)

    assert (standing.left, standing.used_share) == (Decimal(0), 200)


def test_a_question_that_does_not_fit_comes_back_with_the_reason_and_its_text(browser: Client, council: CouncilConfiguration) -> None:
    Budget.objects.create(limit_usd=Decimal("0.0001"))

    answer = browser.post("/", {"council": council.slug, "question": "Which is best?"})

    page = answer.content.decode()
    assert answer.status_code == 402
    assert "There is not enough left in a budget for this question." in page
    assert "the budget for everybody" in page
    assert "Which is best?</textarea>" in page
    assert not CouncilRun.objects.exists()


def test_more_questions_and_budgets_cost_no_more_queries(browser: Client, ada: User, council: CouncilConfiguration) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            page_of(browser)
        return len(queries)

    Budget.objects.create(limit_usd=Decimal(1), user=ada)
    make_run(owner=ada, council=council)
    before = cost()
    Budget.objects.create(limit_usd=Decimal(1), user=ada, period=BudgetPeriod.DAY)
    Budget.objects.create(limit_usd=Decimal(1))
    for _ in range(3):
        make_run(owner=ada, council=make_council())

    assert cost() == before


def test_visitors_are_asked_to_sign_in(client: Client) -> None:
    assert client.get("/usage/")["Location"].startswith("/sign-in/")
