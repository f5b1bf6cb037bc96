"""Lists for people: the newest first, questions instead of codes, money and times with their units."""

import re
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin import site
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from councils.models import CouncilRun, LedgerEntry, ModelCall, Opinion, Review, RunEvent, User
from councils.models.ledger import EntryKind
from councils.tests.factories import make_run, make_user

pytestmark = pytest.mark.django_db


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:councils_{model._meta.model_name}_changelist")


def page_of(row: Model) -> str:
    return reverse(f"admin:councils_{row._meta.model_name}_change", args=[row.pk])


def booked(run: CouncilRun, amount: str | None = "0.0012", kind: EntryKind = EntryKind.CHARGED) -> LedgerEntry:
    call = run.calls.first()
    assert call is not None
    return LedgerEntry.objects.create(call=call, account=f"user:{run.owner.pk}", kind=kind, amount_usd=amount)


@pytest.mark.parametrize("model", [ModelCall, Opinion, Review, LedgerEntry, RunEvent], ids=lambda model: model.__name__)
def test_the_newest_comes_first(admin: Client, model: type[Model]) -> None:
    for _ in range(2):
        run = make_run()
        booked(run)
        RunEvent.objects.create(run=run, seq=1, type="run_started", payload={})

    rows = [row.pk for row in admin.get(list_of(model)).context["cl"].result_list]

    assert len(rows) >= 2
    assert rows == sorted(rows, reverse=True)


def test_a_run_is_listed_by_its_question(admin: Client) -> None:
    run = make_run(question=f"What is a fair price? {'x' * 500}")

    page = admin.get(list_of(CouncilRun)).content.decode()

    assert f'<a href="{page_of(run)}' in page
    assert "What is a fair price? xxx" in page
    assert "x" * 200 not in page


def test_a_run_leads_to_its_page_for_whom_the_page_opens(admin: Client, root: User) -> None:
    mine, other = make_run(owner=root), make_run()

    page = admin.get(list_of(CouncilRun)).content.decode()

    assert f'href="{reverse("run", args=[mine.public_id])}"' in page
    assert reverse("run", args=[other.public_id]) not in page
    assert other.public_id in page
    assert admin.get(reverse("run", args=[mine.public_id])).status_code == 200


@pytest.mark.parametrize(
    ("kind", "amount", "title"),
    [
        (EntryKind.CHARGED, "0.0012", "charged 0.0012 USD to ada"),
        (EntryKind.CORRECTED, "2", "corrected 2 USD for ada"),
        (EntryKind.CHARGED, None, "charged an unknown amount to ada"),
    ],
)
def test_a_booking_is_a_sentence(admin: Client, kind: EntryKind, amount: str | None, title: str) -> None:
    entry = booked(make_run(owner=make_user("ada")), amount, kind)
    entry.refresh_from_db()

    assert title in admin.get(page_of(entry)).content.decode()


def test_the_ledger_names_people_and_keeps_accounts_that_it_does_not_know(admin: Client) -> None:
    known, unknown = booked(make_run(owner=make_user("ada"))), booked(make_run())
    LedgerEntry.objects.filter(pk=unknown.pk).update(account="team:7")

    page = admin.get(list_of(LedgerEntry)).content.decode()

    assert ">ada<" in re.sub(r"\s*([<>])\s*", r"\1", page)
    assert "team:7" in page
    assert known.account not in page


def test_times_say_their_zone_and_money_its_currency(admin: Client) -> None:
    run = make_run()
    booked(run)

    for model in (CouncilRun, ModelCall, LedgerEntry):
        page = admin.get(list_of(model)).content.decode()
        assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", page)
        assert re.search(r"\d USD", page)
        assert not re.search(r"\$\d", page)


def test_a_list_is_still_ordered_by_its_times(admin: Client) -> None:
    older, newer = make_run(), make_run()
    column = list(admin.get(list_of(CouncilRun)).context["cl"].list_display).index
    columns = admin.get(list_of(CouncilRun)).context["cl"].list_display
    number = column(next(name for name in columns if callable(name)))

    rows = admin.get(list_of(CouncilRun), {"o": number}).context["cl"].result_list

    assert [row.pk for row in rows] == [older.pk, newer.pk]


def test_a_model_that_was_not_substituted_is_no_fault(admin: Client) -> None:
    call = make_run().calls.first()
    assert call is not None

    page = admin.get(page_of(call)).content.decode()

    assert re.search(r"Substituted.*?\bno\b", page, re.DOTALL)
    assert "icon-no" not in page


def test_the_first_page_does_not_say_the_side_bar_again(admin: Client) -> None:
    page = admin.get(reverse("admin:index")).content.decode()

    assert page.count(f'href="{reverse("admin:councils_provider_changelist")}"') == 1
    assert f'href="{reverse("admin:django_celery_beat_periodictask_changelist")}"' in page


def test_the_admin_has_the_sites_icon(admin: Client) -> None:
    assert f'href="/{settings.STATIC_URL.strip("/")}/councils/icon.svg"' in admin.get(reverse("admin:index")).content.decode()


@pytest.mark.parametrize(
    "lookup",
    [
        "config_snapshot__icontains",
        "config_snapshot__members__0__persona__startswith",
        "idempotency_key__startswith",
        "request_hash__startswith",
        "sealed_keys__isnull",
        "message__text__icontains",
        "question_start__startswith",
        "status__startswith",
        "owner__password__startswith",
    ],
)
def test_a_list_is_filtered_by_nothing_that_it_does_not_offer(admin: Client, lookup: str) -> None:
    make_run()

    assert admin.get(list_of(CouncilRun), {lookup: "a"}).status_code == 400


def test_a_list_is_filtered_by_what_its_filters_and_our_links_ask(admin: Client) -> None:
    run = make_run()
    booked(run)

    cases: tuple[tuple[type[Model], dict[str, Any]], ...] = (
        (CouncilRun, {"status__exact": run.status}),
        (CouncilRun, {"council__id__exact": run.council_id}),
        (CouncilRun, {"owner__id__exact": run.owner_id}),
        (CouncilRun, {"conversation__id__exact": run.conversation_id}),
        (ModelCall, {"run__id__exact": run.pk}),
        (LedgerEntry, {"call__run__id__exact": run.pk}),
    )
    for model, asked in cases:
        page = admin.get(list_of(model), asked)
        assert page.status_code == 200, asked
        assert page.context["cl"].result_count, asked


def test_every_filter_that_a_list_shows_can_be_used(admin: Client) -> None:
    for model, looks in site._registry.items():
        page = admin.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
        asked = [name for spec in page.context["cl"].filter_specs for name in spec.expected_parameters() if name]
        assert [name for name in asked if not looks.lookup_allowed(name, "1", page.wsgi_request)] == []
