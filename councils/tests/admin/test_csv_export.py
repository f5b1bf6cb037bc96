"""CSV for spreadsheets: right values, no formulas, bounded, streamed either way."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import AsyncRequestFactory, Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from councils.admin import csv_export
from councils.admin.csv_export import Column, cell, csv_response
from councils.models import CouncilRun, LedgerEntry, ModelCall, User
from councils.models.ledger import EntryKind
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.factories import make_run, make_user

pytestmark = pytest.mark.django_db
COLUMNS = (Column("name", "username"), Column("joined", "date_joined"))


def rows_of(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def download(browser: Client, model: Any, **data: Any) -> Any:
    chosen = {"action": "as_csv", "_selected_action": list(model.objects.values_list("pk", flat=True)), **data}
    return browser.post(reverse(f"admin:councils_{model._meta.model_name}_changelist"), chosen)


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "＝1", "＋1", "－1", "＠x", "\x00=1"]
)
def test_text_is_never_a_formula(text: str) -> None:
    assert cell(text).startswith("'")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (-5, "-5"),
        (Decimal("-0.00000001"), "-0.00000001"),
        (Decimal("1E+3"), "1000"),
        (True, "yes"),
        ("a = b", "a = b"),
        (datetime(2026, 3, 1, 12, 30, tzinfo=UTC), "2026-03-01 12:30:00"),
    ],
)
def test_values_are_plain_text_and_numbers_stay_numbers(value: object, text: str) -> None:
    assert cell(value) == text


def test_runs_calls_and_bookings_can_be_taken_along(admin: Client) -> None:
    run = make_run(owner=make_user("ada"))
    call = run.calls.earliest("pk")
    LedgerEntry.objects.create(call=call, account=f"user:{run.owner_id}", kind=EntryKind.CHARGED, amount_usd=Decimal("0.000944"))

    runs, calls, entries = (rows_of(download(admin, model).getvalue()) for model in (CouncilRun, ModelCall, LedgerEntry))

    assert runs[0][:5] == ["run", "asked at (UTC)", "status", "council", "user"]
    assert (runs[1][0], runs[1][2:5]) == (run.public_id, ["succeeded", "Pricing council", "ada"])
    assert len(calls) == run.calls.count() + 1
    assert {row[1] for row in calls[1:]} == {run.public_id}
    assert entries[1][1:5] == [f"user:{run.owner_id}", "ada", "charged", "0.00094400"]


def test_a_name_that_is_a_formula_is_text_in_the_file(admin: Client) -> None:
    run = make_run()
    CouncilRun.objects.filter(pk=run.pk).update(council_name='=HYPERLINK("http://evil.example")')

    assert rows_of(download(admin, CouncilRun).getvalue())[1][3] == '\'=HYPERLINK("http://evil.example")'


def test_all_that_the_list_holds_can_be_taken_along_as_filtered(admin: Client) -> None:
    council_run, other = make_run(), make_run()
    CouncilRun.objects.filter(pk=other.pk).update(status="failed")

    answer = admin.post(
        reverse("admin:councils_councilrun_changelist") + "?status__exact=succeeded",
        {"action": "as_csv", "_selected_action": [council_run.pk], "select_across": "1"},
    )

    assert [row[0] for row in rows_of(answer.getvalue())[1:]] == [council_run.public_id]


def test_who_may_not_see_the_rows_cannot_take_them_along() -> None:
    make_run()

    assert download(sign_in(staff_with("view_modelcall")), CouncilRun).status_code == 403


def test_a_file_ends_at_its_bound_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_export, "MOST_ROWS", 3)
    monkeypatch.setattr(csv_export, "ROWS_AT_ONCE", 2)
    for _ in range(3):
        make_user()
    request = RequestFactory().get("/")
    users = User.objects.order_by("pk")

    exact = rows_of(csv_response(request, users, COLUMNS, name="people").getvalue())
    make_user()
    more = rows_of(csv_response(request, users, COLUMNS, name="people").getvalue())

    assert len(exact) == 4
    assert more[:4] == exact
    assert more[4] == ["There are more. This file ends after 3 rows: choose fewer by a filter."]


def test_more_rows_take_no_more_queries(admin: Client) -> None:
    run = make_run()
    with CaptureQueriesContext(connection) as few:
        assert download(admin, ModelCall).getvalue()
    make_run(council=run.council)

    with CaptureQueriesContext(connection) as many:
        assert download(admin, ModelCall).getvalue()

    assert len(many) == len(few)


@pytest.mark.django_db(transaction=True)
async def test_served_asynchronously_it_is_streamed_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_export, "ROWS_AT_ONCE", 1)
    for name in ("ada", "bob"):
        await User.objects.acreate(username=name)

    response: StreamingHttpResponse = csv_response(AsyncRequestFactory().get("/"), User.objects.order_by("pk"), COLUMNS, name="All people")
    parts = [part async for part in _stream(response)]

    assert len(parts) == 3
    assert [row[0] for row in rows_of(b"".join(parts))] == ["name", "ada", "bob"]
    assert response["Content-Disposition"].startswith('attachment; filename="all-people-')


def _stream(response: StreamingHttpResponse) -> AsyncIterator[bytes]:
    return response.__aiter__()


def test_every_cell_is_quoted_so_that_no_separator_begins_another(admin: Client) -> None:
    make_run(owner=make_user("ada;=1+1"))

    content = b"".join(download(admin, CouncilRun).streaming_content).decode("utf-8-sig")

    assert '"ada;=1+1"' in content
    assert all(line.startswith('"') and line.endswith('"') for line in content.splitlines())
