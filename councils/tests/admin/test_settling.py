"""Calls of unknown cost in the admin: found, asked about, booked, and written down who did it."""

from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from councils.models import Budget, BudgetAccount, ModelCall, User
from councils.services.asking import ask_council
from councils.services.reconciling import differences
from councils.store.calls import begin_call
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.factories import make_council, make_run, make_user
from councils.tests.store.support import Owner, ref

pytestmark = pytest.mark.django_db

CALLS = "/admin/councils/modelcall/"


@pytest.fixture
def lost(db: None) -> ModelCall:
    """A call that nobody knows the cost of; a budget held a dollar for it."""
    Budget.objects.create(limit_usd=Decimal(10), at_limit="partial")
    owner = Owner.of(ask_council(by=make_user(), council=make_council(), question="Which is best?")[0])
    begun = begin_call(owner.claim, ref("opinion:agent_1"), owner.target, attempt=1, at_most_usd=Decimal(1))
    Owner.of(owner.run, worker="second").finish()
    return ModelCall.objects.get(pk=begun.call_pk)


def post(browser: Client, action: str, *calls: ModelCall, **fields: str) -> str:
    sent = {"action": action, "_selected_action": [call.pk for call in calls], **fields}
    return browser.post(f"{CALLS}?cost=unknown", sent, follow=True).content.decode()


def test_the_filter_finds_what_has_to_be_booked(admin: Client, lost: ModelCall) -> None:
    make_run()

    assert [call.pk for call in admin.get(f"{CALLS}?cost=unknown").context["cl"].result_list] == [lost.pk]


@pytest.mark.parametrize(("action", "booked"), [("book_as_nothing", "0"), ("book_as_estimated", "1")])
def test_a_call_is_booked_after_asking(admin: Client, root: User, lost: ModelCall, action: str, booked: str) -> None:
    asked = post(admin, action, lost)
    lost.refresh_from_db()
    assert lost.public_id in asked
    assert "1 USD" in asked
    assert lost.cost_usd is None

    page = post(admin, action, lost, confirmed="yes")

    account = BudgetAccount.objects.get()
    assert ModelCall.objects.get(pk=lost.pk).cost_usd == Decimal(booked)
    assert (account.spent_usd, account.reserved_usd) == (Decimal(booked), Decimal(0))
    assert "1 booked as" in page
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (root, str(lost.pk))
    assert f"{booked} USD" in entry.get_change_message()
    assert differences() == []


def test_confirming_twice_books_once(admin: Client, lost: ModelCall) -> None:
    post(admin, "book_as_estimated", lost, confirmed="yes")

    # The list under the filter is empty by now, and whoever reloads the confirmation is told so.
    post(admin, "book_as_nothing", lost, confirmed="yes")

    lost.refresh_from_db()
    assert (lost.cost_usd, lost.entries.count(), LogEntry.objects.count()) == (Decimal(1), 2, 1)


def test_calls_whose_cost_is_known_are_left_alone(admin: Client) -> None:
    call = make_run().calls.first()
    assert call is not None
    sent = {"action": "book_as_nothing", "_selected_action": [call.pk]}

    asked = admin.post(CALLS, sent, follow=True).content.decode()
    told = admin.post(CALLS, {**sent, "confirmed": "yes"}, follow=True).content.decode()

    assert "The cost of none of them is unknown for good." in asked
    assert "1 left as they are" in told
    assert not LogEntry.objects.exists()


def test_looking_at_calls_is_not_booking_them(lost: ModelCall) -> None:
    browser = sign_in(staff_with("view_modelcall"))

    assert "book_as_nothing" not in browser.get(CALLS).content.decode()
    post(browser, "book_as_nothing", lost, confirmed="yes")

    lost.refresh_from_db()
    assert lost.cost_usd is None


def test_staff_with_the_right_may_book(lost: ModelCall) -> None:
    post(sign_in(staff_with("view_modelcall", "settle_modelcall")), "book_as_nothing", lost, confirmed="yes")

    lost.refresh_from_db()
    assert lost.cost_usd == 0
