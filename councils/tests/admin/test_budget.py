"""Budgets in the admin: whom they are for, where they stand, and what made up their sums."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from councils.admin.budget import SHOWN_PERIODS
from councils.models import ApiKey, Budget, BudgetAccount, BudgetPeriod, User
from councils.models.budget import to_units
from councils.services.asking import ask_council
from councils.services.reconciling import differences
from councils.store.calls import begin_call
from councils.tests.admin.forms import sent
from councils.tests.factories import make_council, make_user
from councils.tests.store.support import ANSWERED, Owner, done, ref

pytestmark = pytest.mark.django_db

BUDGETS = "/admin/councils/budget/"


def budget_form(**fields: object) -> dict[str, str]:
    return sent(**({"limit_usd": "10", "period": "month", "at_limit": "refuse", "is_active": True} | fields))


def pay(user: User, *, known: bool = True) -> None:
    """One question whose first call has cost half a dollar, or nobody knows what."""
    owner = Owner.of(ask_council(by=user, council=make_council(), question="Which is best?")[0])
    begun = begin_call(owner.claim, ref("opinion:agent_1"), owner.target, attempt=1, at_most_usd=Decimal(1))
    if known:
        owner.settle("opinion:agent_1", begun, ANSWERED, done())
    else:
        Owner.of(owner.run, worker="second")


def test_a_budget_for_everybody(admin: Client) -> None:
    admin.post(f"{BUDGETS}add/", budget_form())

    assert str(Budget.objects.get()) == "10.0000 USD per month for everybody"


def test_a_budget_that_no_question_fits_into_says_so_when_it_is_saved(admin: Client) -> None:
    council = make_council(name="Dear council")

    pages = [
        admin.post(f"{BUDGETS}add/", budget_form(council=council.pk, **fields), follow=True).text
        for fields in ({"limit_usd": "0.001"}, {"limit_usd": "0.001", "period": "day", "at_limit": "partial"})
    ]
    Budget.objects.all().delete()
    enough = admin.post(f"{BUDGETS}add/", budget_form(limit_usd="500"), follow=True).text

    assert "It is too small for any question to Dear council (one may cost up to" in pages[0]
    assert "(one is expected to cost" in pages[1]
    assert "too small" not in enough


def test_a_budget_for_an_api_key(admin: Client) -> None:
    key, _ = ApiKey.issue(user=make_user(), name="nightly job")

    admin.post(f"{BUDGETS}add/", budget_form(api_key=key.pk))

    assert Budget.objects.get().api_key == key


def test_a_budget_is_for_one_of_user_key_and_council(admin: Client) -> None:
    answer = admin.post(f"{BUDGETS}add/", budget_form(user=make_user().pk, council=make_council().pk))

    page = answer.content.decode()
    assert "only one of them" in page
    assert "constraint" not in page.lower()
    assert not Budget.objects.exists()


def test_a_second_budget_for_the_same_is_refused_with_a_sentence(admin: Client) -> None:
    admin.post(f"{BUDGETS}add/", budget_form())

    answer = admin.post(f"{BUDGETS}add/", budget_form(limit_usd="20"))

    assert "There is a budget for this already." in answer.content.decode()
    assert Budget.objects.count() == 1


def test_whom_a_stored_budget_is_for_and_its_period_cannot_be_changed(admin: Client) -> None:
    budget = Budget.objects.create(limit_usd=Decimal(10), user=make_user(), period="month")
    owner = budget.user

    admin.post(f"{BUDGETS}{budget.pk}/change/", budget_form(user=make_user().pk, period="day", limit_usd="20"))

    budget.refresh_from_db()
    assert (budget.user, budget.period, budget.limit_usd) == (owner, "month", Decimal(20))


@pytest.mark.parametrize("change", [{"period": "day"}, {"user": None}])
def test_a_stored_budget_for_another_scope_or_period_is_not_valid(change: dict[str, str | None]) -> None:
    budget = Budget.objects.create(limit_usd=Decimal(10), user=make_user(), period="month")
    budget.limit_usd = Decimal(20)
    budget.full_clean()

    for name, value in change.items():
        setattr(budget, name, value)

    with pytest.raises(ValidationError, match="belongs to its period"):
        budget.full_clean()


def test_a_new_budget_begins_with_what_was_spent_and_says_so(admin: Client) -> None:
    payer = make_user()
    pay(payer)
    pay(make_user())

    page = admin.post(f"{BUDGETS}add/", budget_form(user=payer.pk), follow=True).content.decode()

    account = BudgetAccount.objects.get()
    assert (account.spent_usd, account.opening_usd, account.reserved_usd) == (Decimal("0.5"), Decimal("0.5"), Decimal(0))
    assert "It begins with 0.5 USD, which its questions of this month have cost so far." in page
    detail = admin.get(f"{BUDGETS}{account.budget_id}/change/").content.decode()
    assert "of this before the budget was made" in detail.lower()
    assert differences() == []


def test_the_form_says_whom_a_budget_is_for_and_what_the_choices_mean(admin: Client) -> None:
    page = admin.get(f"{BUDGETS}add/").text

    assert "None of them: the budget is for everybody." in page
    assert "a new budget takes over what was spent" in page
    assert "Refuse: a question starts only if even a dear one fits." in page
    assert "this period" not in page.lower()


def test_a_stored_budget_says_what_is_left_of_how_much_until_when(admin: Client) -> None:
    budget = Budget.objects.create(limit_usd=Decimal(10), period="month")
    pay(make_user())
    start = BudgetPeriod.MONTH.start(timezone.now())
    last = BudgetPeriod.MONTH.end(start) - timedelta(days=1)

    page = admin.get(f"{BUDGETS}{budget.pk}/change/").text

    assert "<strong>9.5 USD left of 10 USD</strong> this month: 0.5 USD spent, 0 USD reserved" in page
    assert f"It ends with {last:%Y-%m-%d}, UTC." in page
    assert "stay as they are" in page


def test_the_list_says_what_was_spent_what_is_held_and_what_is_left(admin: Client) -> None:
    budget = Budget.objects.create(limit_usd=Decimal(10), at_limit="partial")
    pay(make_user())
    BudgetAccount.objects.update(reserved=to_units(Decimal("0.25")))

    page = admin.get(BUDGETS).content.decode()

    assert all(amount in page for amount in ("10 USD", "0.5 USD", "0.25 USD", "9.25 USD"))
    assert f"ledgerentry/?call__run__holds__account={budget.accounts.get().pk}" in page


def test_a_budget_before_its_first_question_has_everything_left(admin: Client) -> None:
    Budget.objects.create(limit_usd=Decimal("7.5"))

    assert admin.get(BUDGETS).content.decode().count("7.5 USD") == 2


def test_calls_of_unknown_cost_are_counted_and_held(admin: Client) -> None:
    budget = Budget.objects.create(limit_usd=Decimal(10), at_limit="partial")
    pay(make_user(), known=False)

    page = admin.get(f"{BUDGETS}{budget.pk}/change/").content.decode()

    assert budget.accounts.get().reserved >= to_units(Decimal(1))
    assert "calls of unknown cost" in page.lower()


def test_many_periods_do_not_keep_a_budget_from_being_saved(admin: Client) -> None:
    budget = Budget.objects.create(limit_usd=Decimal(10), period="day")
    days = [timezone.now().date() - timedelta(days=number) for number in range(SHOWN_PERIODS + 2)]
    BudgetAccount.objects.bulk_create(BudgetAccount(budget=budget, period_start=day) for day in days)
    address = f"{BUDGETS}{budget.pk}/"

    page = admin.get(f"{address}change/").text
    rest = admin.get(f"{address}periods/?p=2").text

    assert [f"{day}</th>" in page for day in days] == [True] * SHOWN_PERIODS + [False] * 2
    assert [f"{day}</th>" in rest for day in days] == [False] * SHOWN_PERIODS + [True] * 2
    assert f'href="{address}periods/"' in page
    assert 'name="accounts-' not in page


def test_used_up_is_a_budget_with_nothing_left(admin: Client) -> None:
    budget = Budget.objects.create(limit_usd=Decimal(10), period="month")
    account = BudgetAccount.objects.create(budget=budget, period_start=BudgetPeriod.MONTH.start(timezone.now()))

    for spent, said in (("9.96", "99 %, nearly used up"), ("10", "100 %, used up"), ("11", "110 %, used up")):
        account.spent = to_units(Decimal(spent))
        account.save()
        assert said in admin.get(BUDGETS).text


def test_the_ledger_shows_what_made_up_the_sum_and_nothing_else(admin: Client) -> None:
    watched, other = make_user("watched-person"), make_user("someone-else")
    budget = Budget.objects.create(limit_usd=Decimal(10), user=watched)
    pay(watched)
    pay(other)

    page = admin.get(f"/admin/councils/ledgerentry/?call__run__holds__account={budget.accounts.get().pk}").content.decode()

    assert "watched-person" in page
    assert "someone-else" not in page


def test_more_budgets_cost_no_more_queries(admin: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(BUDGETS).status_code == 200
        return len(queries)

    Budget.objects.create(limit_usd=Decimal(100))
    pay(make_user())
    before = cost()
    for _ in range(4):
        user = make_user()
        Budget.objects.create(limit_usd=Decimal(9), user=user)
        pay(user)

    assert cost() == before
