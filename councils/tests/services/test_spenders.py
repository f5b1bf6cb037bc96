"""Who spent what: exact sums over whole days, the dearest first."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from councils.models import ApiKey, CouncilRun, ModelCall, User
from councils.services.spenders import LONGEST_DAYS, By, Period, spending
from councils.tests.factories import make_council, make_run, make_user

pytestmark = pytest.mark.django_db
DAY = date(2026, 3, 10)


def spent(owner: User, usd: str, *, at: datetime, unknown: int = 0, **fields: object) -> CouncilRun:
    run = make_run(owner=owner, council=make_council(seats=3), **fields)  # type: ignore[arg-type]
    CouncilRun.objects.filter(pk=run.pk).update(created_at=at, known_cost_usd=Decimal(usd), unknown_costs=unknown)
    ModelCall.objects.filter(run=run).update(created_at=at)
    return run


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def test_the_dearest_come_first_with_exact_sums() -> None:
    ada, bob = make_user("ada"), make_user("bob")
    for usd in ("0.1", "0.2"):
        spent(ada, usd, at=at(10))
    spent(bob, "0.5", at=at(10), unknown=2)

    found = spending(By.USER, Period(first=DAY, last=DAY))

    assert [(line.name, line.count, line.known_cost_usd, line.unknown_costs) for line in found.lines] == [
        ("bob", 1, Decimal("0.5"), 2),
        ("ada", 2, Decimal("0.3"), 0),
    ]
    assert (found.total_usd, found.share(found.lines[0])) == (Decimal("0.8"), 62)


def test_days_are_whole_and_the_last_one_counts() -> None:
    ada = make_user("ada")
    for moment in (at(9, 23), at(10, 0), at(11, 23), at(12, 0)):
        spent(ada, "1", at=moment)

    (line,) = spending(By.USER, Period(first=DAY, last=DAY + timedelta(days=1))).lines

    assert line.known_cost_usd == 2


def test_keys_tell_only_of_what_came_with_a_key() -> None:
    ada = make_user("ada")
    key, _ = ApiKey.issue(user=ada, name="CI")
    spent(ada, "1", at=at(10))
    spent(ada, "2", at=at(10), api_key=key)

    found = spending(By.KEY, Period(first=DAY, last=DAY))

    assert [(line.pk, line.name, line.known_cost_usd) for line in found.lines] == [(key.pk, "CI", Decimal(2))]


def test_models_are_told_by_their_calls() -> None:
    run = spent(make_user(), "0", at=at(10))
    first = run.calls.earliest("pk")
    ModelCall.objects.filter(run=run).exclude(pk=first.pk).update(cost_usd=None)

    found = spending(By.MODEL, Period(first=DAY, last=DAY))

    assert sum(line.count for line in found.lines) == run.calls.count()
    assert sum(line.unknown_costs for line in found.lines) == run.calls.count() - 1
    assert found.total_usd == first.cost_usd


def test_a_council_that_is_deleted_keeps_its_name() -> None:
    run = spent(make_user(), "1", at=at(10))
    assert run.council is not None
    run.council.delete()

    (line,) = spending(By.COUNCIL, Period(first=DAY, last=DAY)).lines

    assert (line.pk, line.name) == (None, run.council_name)


def test_a_period_is_bounded_and_never_lies_in_the_future() -> None:
    today = timezone.now().date()

    assert Period.of(None, None) == Period(first=today - timedelta(days=29), last=today)
    assert Period.of(date(2000, 1, 1), None).first == today - timedelta(days=LONGEST_DAYS - 1)
    assert Period.of(today + timedelta(days=9), today + timedelta(days=20)) == Period(first=today, last=today)
