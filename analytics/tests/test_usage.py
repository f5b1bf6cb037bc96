"""Reports of usage: right by hand, the same from roll-ups and from single calls, bounded where nothing is summed up."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import ProtectedError
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analytics import usage_report
from analytics.aggregation import aggregate, rebuild
from analytics.models import AggregationMark, SeatUsage, UserUsage
from analytics.tests.history import History
from analytics.usage_lines import Line
from analytics.usage_report import report
from analytics.usage_words import Asked, By
from councils.engine.types import Stage
from councils.models import ApiKey, CallStatus, CouncilConfiguration, CouncilMember, ModelCall, User
from councils.tests.factories import make_council, make_model

pytestmark = pytest.mark.django_db

NOON = datetime.combine(timezone.now().date(), datetime.min.time(), UTC) - timedelta(days=5) + timedelta(hours=12)
DAY = timedelta(days=1)


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
def council() -> CouncilConfiguration:
    return make_council(name="Pricing", seats=2)


def asked(by: By, days: int = 30, **words: str) -> Asked:
    today = timezone.now().date()
    return Asked.of(by, today - days * DAY, None, **words)


def ask(history: History, council: CouncilConfiguration | None = None, at: datetime = NOON, **fields: Any) -> None:
    """A run whose first seat and chairman answered, and whose second seat failed."""
    key = fields.pop("api_key", None)
    run = history.run(at, council=council, api_key=key)
    if council:
        type(run).objects.filter(pk=run.pk).update(council_name=council.name)
    for name, stage in (("opinion:agent_1", Stage.OPINIONS), ("synthesis", Stage.SYNTHESIS)):
        history.call(at, step=history.step(run, name, stage), **fields)
    broken = history.step(run, "opinion:agent_2", Stage.OPINIONS)
    history.call(at, CallStatus.BROKEN, step=broken, cost_usd=None, prompt_tokens=None, completion_tokens=None, model_name="other")


def figures(line: Line) -> tuple[object, ...]:
    return line.requests, line.errors, line.total_tokens, line.cost_usd, line.unknown_costs, line.latency_ms


ONE = (3, 1, 300, Decimal("0.004"), 1, 1_000)


@pytest.mark.parametrize("by", [By.USER, By.COUNCIL, By.KEY, By.DAY])
@pytest.mark.parametrize("is_summed", [True, False])
def test_one_line_by_hand(history: History, council: CouncilConfiguration, by: By, is_summed: bool) -> None:
    key, _ = ApiKey.issue(user=history.conversation.owner, name="nightly")
    ask(history, council, api_key=key)
    if is_summed:
        aggregate()

    found = report(asked(by))

    names = {By.USER: history.conversation.owner.username, By.COUNCIL: "Pricing", By.KEY: "nightly", By.DAY: str(NOON.date())}
    assert [line.name for line in found.lines] == [names[by]]
    assert figures(found.lines[0]) == figures(found.total) == ONE
    assert found.lines[0].success_rate == pytest.approx(2 / 3)
    assert found.note == ""


@pytest.mark.parametrize("is_summed", [True, False])
def test_seats_are_told_by_their_names_and_models_by_their_providers(
    history: History, council: CouncilConfiguration, is_summed: bool
) -> None:
    ask(history, council)
    if is_summed:
        aggregate()
    first, second = council.members.all()

    by_seat = {line.name: (line.requests, line.errors) for line in report(asked(By.SEAT)).lines}
    by_model = {line.name: (line.requests, line.errors) for line in report(asked(By.MODEL)).lines}

    assert by_seat == {f"{first.name} · Pricing": (1, 0), "Chairman · Pricing": (1, 0), f"{second.name} · Pricing": (1, 1)}
    assert by_model == {f"{history.model.name} · Test provider": (2, 0), "other · Test provider": (1, 1)}


@pytest.mark.parametrize(
    ("words", "requests"),
    [
        ({}, 3),
        ({"council": "pric"}, 3),
        ({"council": "nothing"}, 0),
        ({"seat": "chairman"}, 1),
        ({"seat": "AGENT_2"}, 1),
        ({"model": "OTHER"}, 1),
        ({"user": "nobody"}, 0),
        ({"user": "%"}, 0),
    ],
)
def test_words_choose_whose_usage_counts_in_roll_ups_and_in_single_calls_alike(
    history: History, council: CouncilConfiguration, words: dict[str, Any], requests: int
) -> None:
    ask(history, council)
    raw = {by: report(asked(by, **words)).total.requests for by in By}
    aggregate()

    assert {by: report(asked(by, **words)).total.requests for by in By} == raw == dict.fromkeys(By, requests)


def test_a_seat_is_found_by_its_name(history: History, council: CouncilConfiguration) -> None:
    council.members.filter(agent_id="agent_2").update(name="Skeptic")
    ask(history, council)
    aggregate()

    assert [line.name for line in report(asked(By.SEAT, seat="skep")).lines] == ["Skeptic · Pricing"]


def test_a_user_is_found_by_the_beginning_of_the_name(history: History) -> None:
    ask(history)
    ask(History(model=make_model()))
    aggregate()
    owner = history.conversation.owner

    assert [line.pk for line in report(asked(By.USER, user=owner.username.upper())).lines] == [owner.pk]
    assert len(report(asked(By.USER, user="PERS")).lines) == 2


def test_a_whole_name_is_one_user_also_where_others_begin_so(history: History) -> None:
    other = History(model=make_model())
    type(history.conversation.owner).objects.filter(pk=history.conversation.owner.pk).update(username="ada")
    type(history.conversation.owner).objects.filter(pk=other.conversation.owner.pk).update(username="adam")
    ask(history)
    ask(other)
    aggregate()

    assert [line.name for line in report(asked(By.USER, user="Ada")).lines] == ["ada"]


@pytest.mark.parametrize("is_summed", [True, False])
def test_a_word_counts_all_that_it_names_however_many_they_are(history: History, is_summed: bool) -> None:
    User.objects.bulk_create(User(username=f"aa{number}") for number in range(201))
    CouncilConfiguration.objects.bulk_create(
        CouncilConfiguration(name=f"Aa {number}", slug=f"aa-{number}", chairman_model=history.model) for number in range(201)
    )
    last = make_council(name="Aa zz", seats=2)
    CouncilMember.objects.bulk_create(
        CouncilMember(council=other, agent_id="agent_2", name="Aa", model=history.model)
        for other in CouncilConfiguration.objects.exclude(pk=last.pk)
    )
    last.members.filter(agent_id="agent_1").update(name="Aa")
    ask(history, last)
    User.objects.filter(pk=history.conversation.owner.pk).update(username="aazz")
    if is_summed:
        aggregate()

    assert report(asked(By.USER, user="aa")).total.requests == 3
    assert report(asked(By.COUNCIL, council="aa")).total.requests == 3
    assert report(asked(By.SEAT, seat="aa")).total.requests == 1


def test_days_that_are_over_are_not_read_again_and_today_is(history: History, council: CouncilConfiguration) -> None:
    ask(history, council)
    aggregate()
    ModelCall.objects.all().delete()
    ask(history, council, at=timezone.now())

    by_day = report(asked(By.DAY))

    assert [line.name for line in by_day.lines] == [str(timezone.now().date()), str(NOON.date())]
    assert by_day.total.requests == report(asked(By.MODEL)).total.requests == report(asked(By.USER)).total.requests == 6


def test_what_is_asked_of_users_and_models_at_once_is_read_from_single_calls_of_few_days(history: History) -> None:
    for days in (0, 10, 60):
        ask(history, at=NOON - days * DAY)
    aggregate()
    owner = history.conversation.owner.username

    of_one, of_all = report(asked(By.USER, days=100, model="other", user=owner)), report(asked(By.USER, days=100, model="other"))

    assert (of_one.total.requests, of_all.total.requests) == (2, 1)
    assert of_one.note.startswith(usage_report.APART.format(days=31))
    assert "Nothing is counted from" in of_one.note
    assert of_all.note.startswith(usage_report.APART.format(days=7))
    assert report(asked(By.USER, days=100)).total.requests == 9
    assert report(asked(By.MODEL, days=20, user=owner)).note == usage_report.APART.format(days=31)


@pytest.mark.parametrize(("on", "said"), [(True, usage_report.BEHIND), (False, usage_report.OFF)])
def test_without_roll_ups_few_days_are_read_and_the_page_says_why(history: History, on: bool, said: str) -> None:
    for days in (0, 60):
        ask(history, at=NOON - days * DAY)

    with override_settings(ENABLE_ANALYTICS=on):
        found = report(asked(By.MODEL, days=100))

    assert found.total.requests == 3
    assert found.note.startswith(said)


def test_what_was_summed_up_long_ago_leaves_a_gap_that_is_told(history: History) -> None:
    for days in (0, 60):
        ask(history, at=NOON - days * DAY)
    aggregate()
    AggregationMark.objects.update(usage_until=NOON.date() - 59 * DAY)

    found = report(asked(By.MODEL, days=100))

    assert found.total.requests == 6
    assert f"Nothing is counted from {NOON.date() - 59 * DAY} to {timezone.now().date() - 31 * DAY}." in found.note


def test_who_and_what_is_deleted_is_still_counted(history: History, council: CouncilConfiguration) -> None:
    ask(history, council)
    aggregate()
    owner = history.conversation.owner
    council.delete()
    assert [line.name for line in report(asked(By.COUNCIL)).lines] == ["Pricing (deleted)"]

    with pytest.raises(ProtectedError):
        owner.delete()
    assert [line.pk for line in report(asked(By.USER)).lines] == [owner.pk]
    history.conversation.delete()
    owner.delete()

    assert [(line.name, line.pk) for line in report(asked(By.USER)).lines] == [("deleted users", None)]


def test_calls_of_a_key_that_is_deleted_are_not_said_to_be_without_one(history: History) -> None:
    key, _ = ApiKey.issue(user=history.conversation.owner, name="nightly")
    ask(history, api_key=key)
    aggregate()
    key.delete()

    assert [line.name for line in report(asked(By.KEY)).lines] == ["without a key, or with one that is deleted"]


def test_a_council_that_was_renamed_is_one_line(history: History, council: CouncilConfiguration) -> None:
    ask(history, council)
    CouncilConfiguration.objects.update(name="Prices")
    council.refresh_from_db()
    ask(history, council, at=NOON - DAY)
    aggregate()

    assert [(line.name, line.requests) for line in report(asked(By.COUNCIL)).lines] == [("Prices", 6)]


def test_doing_it_again_changes_nothing_and_a_change_is_taken_in(history: History) -> None:
    ask(history)
    aggregate()
    aggregate(since=NOON - DAY)
    assert UserUsage.objects.count() == 1
    assert SeatUsage.objects.count() == 3

    history.call(NOON, finished_at=timezone.now())
    aggregate()
    assert report(asked(By.USER)).total.requests == 4
    rebuild()
    assert report(asked(By.USER)).total.requests == 4


def test_days_of_an_installation_that_was_summed_up_before_there_were_days_are_made(history: History) -> None:
    ask(history)
    aggregate()
    UserUsage.objects.all().delete()
    AggregationMark.objects.update(usage_until=None)

    aggregate()

    assert UserUsage.objects.count() == 1


def test_what_the_cache_answered_is_no_request(history: History) -> None:
    history.call(NOON, cached=True, cost_usd=Decimal(0))
    aggregate()

    total = report(asked(By.MODEL)).total

    assert (total.requests, total.cache_hits, total.total_tokens, total.success_rate, total.latency_ms) == (0, 1, 0, None, None)


def test_more_of_everything_takes_no_more_queries(history: History, council: CouncilConfiguration) -> None:
    def cost() -> list[int]:
        counts = []
        for by in By:
            with CaptureQueriesContext(connection) as queries:
                report(asked(by, council="p", user="u", seat="s"))
            counts.append(len(queries))
        return counts

    ask(history, council)
    ask(history, council, at=timezone.now())
    aggregate()
    few = cost()
    for number in range(3):
        ask(History(model=make_model(f"m{number}")), make_council(name=f"P{number}"))
    aggregate()

    assert cost() == few
    assert max(few) <= 7


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [(None, None, 30), (date(2020, 1, 1), date(2020, 1, 3), 3), (date(9999, 1, 1), None, 1), (date(1, 1, 1), date(1, 1, 1), 1)],
)
def test_days_that_cannot_be_are_put_right(first: date | None, last: date | None, shown: int) -> None:
    found = Asked.of(By.USER, first, last)

    assert (found.last - found.first).days + 1 == shown
    assert report(found).lines == []
