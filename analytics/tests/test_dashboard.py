"""The figures of the day: right, in a constant number of queries, each with the list behind it."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analytics.dashboard import tiles
from analytics.queries import day_figures
from councils.engine.types import RunStatus
from councils.models import CouncilRun, ModelCall
from councils.tests.factories import make_council, make_run, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed_in(client: Client) -> Callable[..., Client]:
    def sign_in(*, is_superuser: bool = False) -> Client:
        client.force_login(make_user(is_staff=True, is_superuser=is_superuser))
        return client

    return sign_in


def lasting(run: CouncilRun, seconds: int) -> None:
    start = run.created_at
    CouncilRun.objects.filter(pk=run.pk).update(started_at=start, finished_at=start + timedelta(seconds=seconds))


def test_an_empty_day_has_no_rate_and_no_median() -> None:
    day = day_figures(timezone.now())

    assert (day.runs, day.success_rate, day.median_ms, day.spend_usd) == (0, None, None, Decimal(0))


def test_the_success_rate_is_of_ended_runs_and_cancelled_ones_do_not_count() -> None:
    states = (RunStatus.SUCCEEDED, RunStatus.SUCCEEDED, RunStatus.PARTIAL, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.RUNNING)
    for status in states:
        make_run(status=status)

    day = day_figures(timezone.now())

    assert (day.runs, day.live, day.ended, day.success_rate) == (6, 1, 4, 0.5)


def test_yesterday_is_not_today() -> None:
    run = make_run()
    yesterday = timezone.now() - timedelta(days=1, seconds=1)
    CouncilRun.objects.filter(pk=run.pk).update(created_at=yesterday)
    ModelCall.objects.update(created_at=yesterday)

    day = day_figures(timezone.now())

    assert (day.runs, day.spend_usd, day.prompt_tokens) == (0, Decimal(0), 0)


def test_money_and_tokens_are_those_of_the_calls() -> None:
    run = make_run()

    day = day_figures(timezone.now())

    assert day.spend_usd == run.known_cost_usd > 0
    assert (day.prompt_tokens, day.completion_tokens) == (run.prompt_tokens, run.completion_tokens)


def test_an_unknown_cost_is_said_and_not_counted_as_nothing() -> None:
    make_run()
    some = ModelCall.objects.first()
    assert some is not None
    ModelCall.objects.filter(pk=some.pk).update(cost_usd=None, finished_at=timezone.now())

    day = day_figures(timezone.now())

    assert day.unknown_costs == 1
    assert any("1 calls of unknown cost" in tile.note for tile in tiles(day))


def test_the_median_is_of_finished_runs() -> None:
    for seconds in (10, 20, 90):
        lasting(make_run(), seconds)
    make_run(status=RunStatus.RUNNING)

    assert day_figures(timezone.now()).median_ms == 20_000


def test_what_needs_attention_raises_an_alarm_with_a_link_to_it() -> None:
    make_run(status=RunStatus.FAILED)

    alarms = [tile for tile in tiles(day_figures(timezone.now())) if tile.is_alarm]

    assert [(tile.value, tile.address) for tile in alarms] == [("1", "/admin/councils/councilrun/?attention=needed")]


def test_more_runs_take_no_more_queries() -> None:
    council, owner = make_council(), make_user()
    make_run(council=council, owner=owner)
    with CaptureQueriesContext(connection) as few:
        day_figures(timezone.now())
    for _ in range(3):
        make_run(council=council, owner=owner)

    with CaptureQueriesContext(connection) as many:
        day_figures(timezone.now())

    assert len(many) == len(few)


def test_the_admins_first_page_shows_the_figures_and_their_lists_open(signed_in: Callable[..., Client]) -> None:
    make_run(status=RunStatus.FAILED)
    browser = signed_in(is_superuser=True)

    page = browser.get("/admin/")

    shown = page.context["tiles"]
    assert [tile.title for tile in shown] == ["Runs today", "Spent today", "Tokens today", "Median time", "Need attention"]
    assert "Need attention" in page.content.decode()
    assert {browser.get(tile.address).status_code for tile in shown} == {200}


def test_the_list_of_today_holds_todays_runs(signed_in: Callable[..., Client]) -> None:
    today, earlier = make_run(), make_run()
    CouncilRun.objects.filter(pk=earlier.pk).update(created_at=timezone.now() - timedelta(days=2))

    page = signed_in(is_superuser=True).get(tiles(day_figures(timezone.now()))[0].address).content.decode()

    assert today.public_id in page
    assert earlier.public_id not in page


def test_staff_without_rights_on_runs_get_no_figures(signed_in: Callable[..., Client]) -> None:
    make_run()

    page = signed_in().get("/admin/")

    assert page.status_code == 200
    assert "tiles" not in page.context
