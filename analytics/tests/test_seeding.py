"""The invented past: as large as asked, consistent as the product would have left it, and never where it would do harm."""

from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Count, F, Q, Sum
from django.test import Client

from analytics.aggregation import aggregate
from analytics.models import HourAnalytics
from councils.models import CouncilRun, LedgerEntry, ModelCall, RunStep
from councils.tests.factories import make_run, make_user

pytestmark = pytest.mark.django_db


def seed(*options: str) -> str:
    out = StringIO()
    call_command("seed_history", *options, stdout=out)
    return out.getvalue()


@pytest.fixture
def seeded(db: None) -> None:
    seed("--runs", "60", "--calls", "540", "--conversations", "12", "--days", "20")


def test_it_is_as_large_as_asked(seeded: None) -> None:
    assert CouncilRun.objects.count() == 60
    assert ModelCall.objects.count() == pytest.approx(540, rel=0.1)
    assert CouncilRun.objects.values("conversation").distinct().count() <= 12


def test_books_agree(seeded: None) -> None:
    sums = CouncilRun.objects.annotate(known=Sum("calls__cost_usd"), unknown=Count("calls", filter=Q(calls__cost_usd=None)))
    for told, known, told_unknown, unknown in sums.values_list("known_cost_usd", "known", "unknown_costs", "unknown"):
        assert abs(told - (known or Decimal(0))) < Decimal("0.000001")
        assert told_unknown == unknown
    assert LedgerEntry.objects.count() == ModelCall.objects.count()
    assert not LedgerEntry.objects.exclude(call__cost_usd=F("amount_usd")).exclude(amount_usd=None).exists()
    assert not RunStep.objects.filter(finished_at__lt=F("started_at")).exists()
    assert not CouncilRun.objects.live().exists()


def test_its_runs_can_be_opened_and_its_sums_be_made(seeded: None, client: Client) -> None:
    root = make_user(is_staff=True, is_superuser=True)
    client.force_login(root)
    run = CouncilRun.objects.filter(status="succeeded").latest("pk")
    CouncilRun.objects.filter(pk=run.pk).update(owner=root)
    run.conversation.__class__.objects.filter(pk=run.conversation_id).update(owner=root)

    assert aggregate().hours == HourAnalytics.objects.count() > 10
    assert client.get(f"/runs/{run.public_id}/").status_code == 200
    assert client.get(f"/admin/councils/councilrun/{run.pk}/change/").status_code == 200
    assert client.get("/admin/").context["board"].month.requests > 0


def test_new_rows_find_their_keys_afterwards(seeded: None) -> None:
    run = make_run()

    assert run.pk > 60


def test_the_same_seed_makes_the_same_past() -> None:
    def facts() -> list[tuple[object, ...]]:
        return list(ModelCall.objects.order_by("pk").values_list("model_name", "status", "cost_usd", "latency_ms"))

    seed("--runs", "5", "--calls", "45", "--conversations", "2", "--seed", "7")
    first = facts()
    CouncilRun.objects.all().delete()
    seed("--runs", "5", "--calls", "45", "--conversations", "2", "--seed", "7")

    assert facts() == first


def test_where_people_have_asked_nothing_is_written_unless_the_database_is_named() -> None:
    make_run()
    with pytest.raises(CommandError, match="There are runs here already"):
        seed("--runs", "5", "--conversations", "2")
    with pytest.raises(CommandError, match="not somewhere_else"):
        seed("--runs", "5", "--conversations", "2", "--database", "somewhere_else")
    assert CouncilRun.objects.count() == 1

    seed("--runs", "5", "--calls", "45", "--conversations", "2", "--database", str(connection.settings_dict["NAME"]))

    assert CouncilRun.objects.count() == 6


@pytest.mark.parametrize("options", [("--runs", "0"), ("--runs", "3", "--conversations", "4"), ("--days", "-1")])
def test_sizes_that_make_no_past_are_refused(options: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="positive numbers"):
        seed(*options)
