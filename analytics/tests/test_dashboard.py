"""The admin's first page: right figures, in a constant number of queries, each with the list behind it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from analytics.aggregation import aggregate
from analytics.dashboard import Tile, tiles
from analytics.models import AggregationMark
from analytics.queries import board
from analytics.tests.history import History
from councils.engine.types import RunStatus
from councils.models import Budget, BudgetAccount, BudgetPeriod, CallStatus, CouncilRun, ModelCall, Provider
from councils.models.budget import to_units
from councils.models.health import HealthRecord, HealthState
from councils.tests.factories import make_council, make_model, make_run, make_user

pytestmark = pytest.mark.django_db

# Late in a month, in the afternoon, so that today, this month and thirty days differ.
NOW = datetime(2026, 3, 20, 15, 40, tzinfo=UTC)
NOON = NOW.replace(hour=12, minute=0)
DAY = timedelta(days=1)


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def history() -> History:
    return History()


def seal(until: datetime) -> None:
    aggregate()
    AggregationMark.objects.update(sealed_until=until)


def tile(title: str, now: datetime = NOW) -> Tile:
    return next(one for one in tiles(board(now)) if one.title == title)


def test_an_empty_day_has_no_rate_and_no_median() -> None:
    today = board(NOW).today

    assert (today.success_rate, today.agreement, today.hit_rate, today.times.percentile(0.5)) == (None, None, None, None)
    assert [one.value for one in tiles(board(NOW))] == ["0", "0 USD", "0 USD", "–", "–", "–"]


def test_the_success_rate_is_of_ended_runs_and_cancelled_ones_do_not_count(history: History) -> None:
    for status in (RunStatus.SUCCEEDED, RunStatus.SUCCEEDED, RunStatus.PARTIAL, RunStatus.FAILED, RunStatus.CANCELLED):
        history.run(NOON, status)
    history.run(NOON, RunStatus.RUNNING, seconds=None)

    assert board(NOW).today.success_rate == 0.5
    assert (tile("Runs today").value, tile("Runs today").note) == ("6", "50 % of 4 succeeded, 1 at work")


def test_today_is_the_sum_of_sealed_hours_and_the_open_one(history: History) -> None:
    history.run(NOON, seconds=10)
    history.call(NOON)
    seal(NOON + timedelta(hours=1))
    history.run(NOW, seconds=30)
    history.call(NOW)

    found = board(NOW)

    assert (found.today.statuses["succeeded"], found.today.requests) == (2, 2)
    assert found.today.spend_usd == Decimal("0.004")
    assert sum(found.costs.values()) == found.today.cost_units


def test_hours_that_are_sealed_are_not_read_again_from_raw_rows(history: History) -> None:
    history.call(NOON)
    history.call(NOW)
    seal(NOON + timedelta(hours=1))
    ModelCall.objects.all().delete()

    # The sealed hour is told by its sum, the open one by what is there.
    assert board(NOW).today.requests == 1


def test_just_after_midnight_the_last_hours_of_yesterday_are_yesterdays(history: History) -> None:
    midnight = NOW.replace(hour=0, minute=0)
    history.call(midnight - timedelta(minutes=30))
    seal(midnight - timedelta(hours=1))
    history.call(midnight + timedelta(minutes=5))

    found = board(midnight + timedelta(minutes=10))

    assert [day.requests for day in found.days.values()][-2:] == [1, 1]
    assert found.behind_since is None


def test_before_the_first_sums_the_last_hours_of_yesterday_are_read_as_they_are(history: History) -> None:
    midnight = NOW.replace(hour=0, minute=0)
    history.run(midnight - timedelta(minutes=1), RunStatus.PARTIAL)

    found = board(midnight + timedelta(minutes=10))

    assert [day.statuses["partial"] for day in found.days.values()][-2:] == [1, 0]
    assert found.behind_since is None


def test_spending_is_that_of_the_day_and_the_month(history: History) -> None:
    for at in (NOON - 30 * DAY, NOON.replace(day=1), NOON - DAY, NOON):
        history.call(at)
    seal(NOON)

    found = board(NOW)

    assert (found.today.spend_usd, found.month.spend_usd) == (Decimal("0.002"), Decimal("0.006"))


def test_spending_is_held_against_the_budget_for_everybody(history: History) -> None:
    Budget.objects.create(limit_usd=Decimal("0.01"), period=BudgetPeriod.MONTH)
    Budget.objects.create(limit_usd=Decimal(1), period=BudgetPeriod.DAY, user=make_user())
    history.call(NOON, cost_usd=Decimal("0.009"))

    spent = tile("Spent this month")
    assert (spent.used, spent.is_alarm) == (90, False)
    assert tile("Spent today").used is None
    history.call(NOON)
    assert tile("Spent this month").is_alarm


@pytest.mark.parametrize("sums", [False, True], ids=["switched off", "behind"])
def test_what_the_budget_has_counted_is_told_though_sums_are_missing(history: History, settings: Settings, sums: bool) -> None:
    settings.ENABLE_ANALYTICS = sums
    history.call(NOON - 8 * DAY, cost_usd=Decimal(3))
    seal(NOON - 7 * DAY)
    history.call(NOON - 2 * DAY, cost_usd=Decimal(7))
    history.call(NOON, cost_usd=Decimal(1))

    alone = tile("Spent this month")
    assert (alone.value, alone.note) == (
        ("4.00 USD", "at least: 2026-03-13 to 2026-03-19 are not summed up")
        if sums
        else ("1.00 USD", "at least: 2026-03-01 to 2026-03-19 are not summed up")
    )
    budget = Budget.objects.create(limit_usd=Decimal(10), period=BudgetPeriod.MONTH)
    BudgetAccount.objects.create(budget=budget, period_start=NOON.date().replace(day=1), spent=to_units(Decimal(11)))

    held = tile("Spent this month")
    assert (held.value, held.note, held.used, held.is_alarm) == ("11.00 USD", "of 10.00 USD for everybody", 110, True)
    assert tile("Spent today").note == "every cost is known"


def test_an_unknown_cost_is_said_and_not_counted_as_nothing(history: History) -> None:
    history.call(NOON, CallStatus.ORPHANED, cost_usd=None)

    assert tile("Spent today").note == "and 1 calls of unknown cost"


def test_times_are_those_of_runs_that_were_not_cancelled(history: History) -> None:
    for seconds in (10, 10, 10, 10):
        history.run(NOON, seconds=seconds)
    history.run(NOON, RunStatus.CANCELLED, seconds=999)

    assert (tile("Time to answer").value, tile("Time to answer").note) == ("10 s", "half of today's runs within this, 95 % within 10 s")


def test_agreement_and_cache_hits_are_told(history: History) -> None:
    history.run(NOON, consensus_score=0.5)
    history.run(NOON, consensus_score=1.0)
    history.call(NOON, cached=True)
    history.call(NOON)

    assert tile("Agreement").value == "0.75"
    assert (tile("From the cache").value, tile("From the cache").note) == ("50 %", "1 of 2 calls today cost nothing")


def test_what_nobody_has_summed_up_is_said(history: History, root: Client) -> None:
    run = history.run(timezone.now() - 5 * DAY)

    assert board(timezone.now()).behind_since == CouncilRun.objects.get(pk=run.pk).created_at
    assert "aggregate_model_analytics" in root.get("/admin/").text
    aggregate()
    assert board(timezone.now()).behind_since is None
    assert "aggregate_model_analytics" not in root.get("/admin/").text


@override_settings(ENABLE_ANALYTICS=False)
def test_switched_off_today_is_told_and_there_are_no_charts(history: History, root: Client) -> None:
    history.run(timezone.now())
    page = root.get("/admin/")

    assert page.context["tiles"][1].value == "1"
    assert "analytics are switched off" in page.text
    assert "<svg" not in page.text.partition("board-charts")[2]


def test_more_of_everything_takes_no_more_queries(history: History, root: Client) -> None:
    def fill() -> None:
        council = make_council()
        make_run(council=council, status=RunStatus.FAILED)
        for days in range(5):
            history.run(timezone.now() - days * DAY)
            history.call(timezone.now() - days * DAY, model=make_model(), status=CallStatus.BROKEN, error_kind=f"kind_{days}")
        aggregate()

    fill()
    root.get("/admin/")
    with CaptureQueriesContext(connection) as few:
        root.get("/admin/")
    for _ in range(3):
        fill()

    with CaptureQueriesContext(connection) as many:
        root.get("/admin/")

    assert len(many) == len(few) <= 20


def shown_in_list(browser: Client, address: str) -> int:
    answer = browser.get(address)
    assert answer.status_code == 200, address
    return int(answer.context["cl"].result_count)


def test_every_figure_leads_to_the_list_with_as_many_rows(history: History, root: Client) -> None:
    now = timezone.now()
    for days in (0, 0, 1):
        history.run(now - days * DAY, RunStatus.FAILED)
        history.run(now - days * DAY)
        history.call(now - days * DAY, CallStatus.BROKEN, error_kind="timeout")
        history.call(now - days * DAY, CallStatus.REFUSED, error_kind="", model=make_model())
    aggregate()

    # Somebody tries a draft, which is in no figure.
    history.run(now, trial=True)
    aggregate()

    charts = {chart.key: chart for chart in root.get("/admin/").context["charts"]}

    for key in ("runs", "errors"):
        for series in charts[key].series:
            assert series.total == str(shown_in_list(root, series.address))
        for _, cells in charts[key].rows:
            for cell in cells:
                assert not cell.address or cell.text == str(shown_in_list(root, cell.address))
    for series in charts["costs"].series:
        assert shown_in_list(root, series.address) == (3 if series.name == history.model.name else 1)
    for key in ("costs", "times"):
        for cell in [cell for _, cells in charts[key].rows for cell in cells]:
            assert not cell.address or shown_in_list(root, cell.address)


def test_every_tile_leads_to_a_list_that_opens(root: Client) -> None:
    make_run(status=RunStatus.FAILED)

    shown = root.get("/admin/").context["tiles"]

    titles = ["Need attention", "Runs today", "Spent today", "Spent this month", "Time to answer", "Agreement", "From the cache"]
    assert [one.title for one in shown] == titles
    addresses = [one.address for one in shown] + [one.more[1] for one in shown if one.more]
    assert {root.get(address).status_code for address in addresses} == {200}


def test_more_models_than_colours_become_others_that_lead_to_all_of_them(history: History, root: Client) -> None:
    for number in range(7):
        history.call(timezone.now(), model=make_model(f"model-{number}x"), model_name=f"model-{number}x", cost_usd=Decimal(number + 1))
    costs = next(chart for chart in root.get("/admin/").context["charts"] if chart.key == "costs")

    assert [series.name for series in costs.series] == ["model-6x", "model-5x", "model-4x", "model-3x", "others"]
    assert costs.series[-1].total == "6.00 USD"
    assert shown_in_list(root, costs.series[-1].address) == 3


def test_runs_that_need_somebody_are_shown_and_lead_to_their_record(root: Client) -> None:
    run = make_run(status=RunStatus.FAILED, reason="Too few opinions came.")

    page = root.get("/admin/")

    assert [trouble.address for trouble in page.context["troubles"]] == [f"/admin/councils/councilrun/{run.pk}/change/"]
    assert "Too few opinions came." in page.text
    assert page.context["tiles"][0].is_alarm


def test_calls_of_unknown_cost_are_an_alarm_that_leads_to_them(root: Client) -> None:
    run, fine = make_run(), make_run()
    call = run.calls.first()
    assert call is not None
    ModelCall.objects.filter(pk=call.pk).update(cost_usd=None, status="orphaned", finished_at=timezone.now())

    alarms = {one.title: one for one in root.get("/admin/").context["tiles"] if one.is_alarm}

    assert {title: one.value for title, one in alarms.items()} == {"Need attention": "1", "Calls to book": "1"}
    runs = root.get(alarms["Need attention"].address).text
    assert (run.public_id in runs, fine.public_id in runs) == (True, False)
    listed = root.get(alarms["Calls to book"].address).context["cl"].result_list
    assert [row.pk for row in listed] == [call.pk]


def test_the_list_of_today_holds_todays_runs(root: Client) -> None:
    today, earlier = make_run(), make_run()
    CouncilRun.objects.filter(pk=earlier.pk).update(created_at=timezone.now() - 2 * DAY)

    page = root.get(tile("Runs today", timezone.now()).address).text

    assert today.public_id in page
    assert earlier.public_id not in page


def test_an_empty_place_says_where_to_begin(root: Client) -> None:
    page = root.get("/admin/").text

    assert "Nothing has been asked yet" in page
    assert "board-charts" not in page


def test_staff_without_rights_on_runs_get_no_figures(client: Client) -> None:
    make_run()
    client.force_login(make_user(is_staff=True))

    page = client.get("/admin/")

    assert page.status_code == 200
    assert not {"tiles", "charts", "troubles", "providers", "board"} & page.context.keys()


def test_staff_without_rights_on_budgets_learn_nothing_of_the_limit(client: Client) -> None:
    Budget.objects.create(limit_usd=Decimal("777.5"), period=BudgetPeriod.MONTH)
    Budget.objects.create(limit_usd=Decimal(0), period=BudgetPeriod.DAY)
    viewer = make_user(is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__in=["view_councilrun", "view_modelcall"]))
    client.force_login(viewer)

    page = client.get("/admin/")

    spent = [one for one in page.context["tiles"] if one.title.startswith("Spent")]
    assert [(one.used, one.is_alarm, one.more, one.note) for one in spent] == [(None, False, None, "every cost is known")] * 2
    assert "777" not in page.text


def test_a_budget_is_offered_to_those_who_may_set_one(client: Client) -> None:
    viewer = make_user(is_staff=True)
    rights = ["view_councilrun", "view_modelcall", "view_budget"]
    viewer.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(viewer)
    assert "set one" not in client.get("/admin/").text

    viewer.user_permissions.add(Permission.objects.get(codename="add_budget"))

    assert "set one" in client.get("/admin/").text


def test_a_provider_that_refuses_our_key_is_an_alarm_with_its_name(root: Client) -> None:
    provider = make_model().provider
    assert "Refused keys" not in root.get("/admin/").text

    Provider.objects.mark(provider.pk, "The provider refused the key.")
    page = root.get("/admin/").text

    assert "Refused keys" in page
    assert f"{provider.name}: enter another key" in page
    assert "refuses our key" in page


@pytest.mark.parametrize(
    ("records", "word", "kind"),
    [
        ({}, "not checked yet", "unchecked"),
        ({"": HealthState.HEALTHY}, "healthy", "good"),
        ({"": HealthState.HEALTHY, "second": HealthState.SLOW}, "slow", "fair"),
        ({"": HealthState.HEALTHY, "second": HealthState.FAILING}, "failing", "bad"),
    ],
)
def test_a_provider_is_as_well_as_the_worst_of_its_addresses(root: Client, records: dict[str, Any], word: str, kind: str) -> None:
    provider = make_model().provider
    for address, state in records.items():
        times = {"since": timezone.now(), "checked_at": timezone.now()}
        HealthRecord.objects.create(provider=provider, base_url=f"http://{address}/v1", state=state, **times)

    line = root.get("/admin/").context["providers"][0]

    assert (line.name, line.word, line.kind) == (provider.name, word, kind)


def test_what_no_free_check_can_find_out_says_what_staff_can_do(root: Client) -> None:
    model, times = make_model(), {"since": timezone.now(), "checked_at": timezone.now()}
    HealthRecord.objects.create(provider=model.provider, model=model, state=HealthState.UNKNOWN, problem="It is not on the list.", **times)

    line = root.get("/admin/").context["providers"][0]

    assert (line.word, line.kind) == ("not sure", "fair")
    assert line.note.startswith(f"{model.display_name}: It is not on the list. A test of the connection")
