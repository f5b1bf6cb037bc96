"""Lists that grow without end: counted up to a bound, searched by indexes, filtered by what staff ask."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from councils.admin import large
from councils.engine.types import Mark, RunStatus, StepStatus
from councils.models import CallStatus, Conversation, CouncilRun, Message, ModelCall, RunStep
from councils.tests.admin.conftest import sign_in, staff_with
from councils.tests.factories import RunPlan, make_council, make_run, make_user

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def found(browser: Client, model: str, query: str) -> list[int]:
    answer = browser.get(f"{reverse(f'admin:councils_{model}_changelist')}?{query}")
    assert answer.status_code == 200
    return sorted(row.pk for row in answer.context["cl"].result_list)


@pytest.fixture
def two(admin: Client) -> tuple[CouncilRun, CouncilRun]:
    """Runs of different people, councils and conversations."""
    first = make_run(owner=make_user("ada"), council=make_council(name="Pricing council"), question="What is fair?")
    second = make_run(owner=make_user("bob"), council=make_council(name="Second reader"), question="Who is right?")
    return first, second


@pytest.mark.parametrize("word", ["ADA", "pricing", "is fair", "{first.public_id}", " ada "])
def test_a_run_is_found_by_its_id_its_person_its_council_and_its_conversation(
    admin: Client, two: tuple[CouncilRun, CouncilRun], word: str
) -> None:
    assert found(admin, "councilrun", f"q={word.format(first=two[0])}") == [two[0].pk]


@pytest.mark.parametrize("model", ["councilrun", "modelcall", "ledgerentry", "conversation", "message", "runstep", "runevent"])
def test_a_word_that_names_nothing_finds_nothing(admin: Client, model: str) -> None:
    make_run()

    for word in ("nothing-is-called-so", "%25", "' OR 1=1 --"):
        assert found(admin, model, f"q={word}") == []
    # What no database stores is no word.
    assert found(admin, model, "q=%00") == found(admin, model, "")


def test_calls_are_found_by_run_model_and_error(admin: Client, two: tuple[CouncilRun, CouncilRun]) -> None:
    first, _ = two
    calls = list(first.calls.order_by("pk"))
    ModelCall.objects.filter(pk=calls[0].pk).update(error_kind="rate_limited", status=CallStatus.REFUSED.value)

    assert found(admin, "modelcall", f"q={first.public_id}") == [call.pk for call in calls]
    assert found(admin, "modelcall", "q=rate_limited") == [calls[0].pk]
    assert found(admin, "modelcall", f"q={calls[1].public_id}") == [calls[1].pk]
    same = ModelCall.objects.filter(model=calls[1].model)
    assert found(admin, "modelcall", f"q={calls[1].model_name}") == sorted(same.values_list("pk", flat=True))
    assert found(admin, "modelcall", f"model={calls[1].model_id}") == sorted(same.values_list("pk", flat=True))


def test_messages_are_searched_among_the_newest(admin: Client, two: tuple[CouncilRun, CouncilRun], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Message.objects.get(text="What is fair?")
    assert found(admin, "message", "q=is+fair") == [asked.pk]

    monkeypatch.setattr(large, "NEWEST_READ", 1)
    assert found(admin, "message", "q=is+fair") == []


def test_conversations_are_found_by_title_and_owner(admin: Client, two: tuple[CouncilRun, CouncilRun]) -> None:
    mine = Conversation.objects.get(owner__username="bob")

    assert found(admin, "conversation", "q=who+is") == found(admin, "conversation", "q=bob") == [mine.pk]


def test_failed_yesterday(admin: Client, two: tuple[CouncilRun, CouncilRun]) -> None:
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    failed = make_run(status=RunStatus.FAILED)
    for run in (failed, two[0]):
        CouncilRun.objects.filter(pk=run.pk).update(created_at=midnight - timedelta(hours=2))
    make_run(status=RunStatus.FAILED)

    assert found(admin, "councilrun", "day=yesterday&status__exact=failed") == [failed.pk]
    assert failed.pk not in found(admin, "councilrun", "day=today")
    assert failed.pk in found(admin, "councilrun", "day=7")


def test_dear_runs_and_those_of_unknown_cost(admin: Client, two: tuple[CouncilRun, CouncilRun]) -> None:
    dear, unknown = two
    CouncilRun.objects.filter(pk=dear.pk).update(known_cost_usd=Decimal("1.01"))
    CouncilRun.objects.filter(pk=unknown.pk).update(unknown_costs=1)

    assert found(admin, "councilrun", "cost=1") == found(admin, "councilrun", "cost=0.1") == [dear.pk]
    assert found(admin, "councilrun", "cost=10") == []
    assert found(admin, "councilrun", "cost=unknown") == [unknown.pk]


def test_runs_with_a_ballot_that_could_not_be_counted(admin: Client, two: tuple[CouncilRun, CouncilRun]) -> None:
    done = (StepStatus.DONE,) * 4
    spoilt = make_run(plan=RunPlan(opinions=done, reviews=(*done[:3], StepStatus.INVALID), counted=True, synthesis=StepStatus.DONE))

    assert RunStep.objects.filter(status=StepStatus.INVALID.value).count() == 1
    assert found(admin, "councilrun", "ballots=invalid") == [spoilt.pk]


def test_partial_runs_and_those_that_are_contested(admin: Client, two: tuple[CouncilRun, CouncilRun]) -> None:
    partial, contested = make_run(status=RunStatus.PARTIAL), make_run(marks=[Mark.CONTESTED.value, Mark.DEGRADED.value])
    unranked = make_run(marks=[Mark.UNREVIEWED.value])

    assert found(admin, "councilrun", "status__exact=partial") == [partial.pk]
    assert found(admin, "councilrun", "mark=contested") == [contested.pk]
    assert found(admin, "councilrun", "mark=unreviewed") == [unranked.pk]
    assert len(found(admin, "councilrun", "mark=%25")) == 5


def test_runs_that_wait_for_staff_of_a_council_and_of_a_person(admin: Client, two: tuple[CouncilRun, CouncilRun]) -> None:
    first, second = two
    held = make_run(status=RunStatus.RUNNING, held=True)

    assert found(admin, "councilrun", "held=yes") == [held.pk]
    assert found(admin, "councilrun", f"council__id__exact={first.council_id}") == [first.pk]
    assert found(admin, "councilrun", f"owner__id__exact={second.owner_id}") == [second.pk]


def test_people_are_offered_as_one_writes_their_name_and_only_to_those_who_may_see_people(
    admin: Client, two: tuple[CouncilRun, CouncilRun]
) -> None:
    asked = {"app_label": "councils", "model_name": "councilrun", "field_name": "owner", "term": "ad"}
    runs, names = reverse("admin:councils_councilrun_changelist"), reverse("admin:autocomplete")
    viewer = sign_in(staff_with("view_councilrun"))

    assert 'data-field-name="owner"' in admin.get(runs).text
    assert [one["text"] for one in admin.get(names, asked).json()["results"]] == ["ada"]
    assert 'data-field-name="owner"' not in viewer.get(runs).text
    assert viewer.get(names, asked).status_code == 403
    assert viewer.get(runs, {"owner__id__exact": two[0].owner_id}).context["cl"].result_count == 1


def test_runs_in_which_a_model_was_asked(admin: Client, two: tuple[CouncilRun, CouncilRun]) -> None:
    model = two[1].calls.earliest("pk").model_id

    assert found(admin, "councilrun", f"model={model}") == [two[1].pk]
    assert found(admin, "councilrun", "model=999999999999999999999") == sorted(run.pk for run in two)
    assert found(admin, "councilrun", "model=²") == sorted(run.pk for run in two)


def ordered(browser: Client, model: str, column: str, query: str = "") -> tuple[list[int], str]:
    """The rows from the largest value of a column on, and the page."""
    address = reverse(f"admin:councils_{model}_changelist")
    columns = [getattr(name, "admin_order_field", None) or name for name in browser.get(address).context["cl"].list_display]
    page = browser.get(f"{address}?o=-{columns.index(column)}&{query}")
    return [row.pk for row in page.context["cl"].result_list], page.text


def test_few_rows_are_sorted_by_any_column_and_many_by_those_that_have_an_index(
    admin: Client, two: tuple[CouncilRun, CouncilRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two
    CouncilRun.objects.filter(pk=first.pk).update(known_cost_usd=Decimal(9))
    assert ordered(admin, "councilrun", "cost")[0] == [first.pk, second.pk]

    monkeypatch.setattr(large, "MOST_COUNTED", 1)
    rows, page = ordered(admin, "councilrun", "cost")
    assert rows == [second.pk, first.pk]
    assert "More than 1 rows are not sorted by this column." in page
    rows, page = ordered(admin, "councilrun", "created_at")
    assert rows == [second.pk, first.pk]
    assert "not sorted" not in page
    # What a filter leaves is few again.
    assert "not sorted" not in ordered(admin, "councilrun", "cost", f"owner__id__exact={first.owner_id}")[1]


def test_messages_are_in_the_order_of_their_times_without_an_index_on_these(
    admin: Client, two: tuple[CouncilRun, CouncilRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large, "MOST_COUNTED", 1)

    rows, page = ordered(admin, "message", "created_at")

    assert rows == sorted(rows, reverse=True)
    assert "not sorted" not in page


def test_a_long_list_is_counted_no_further_than_its_bound(
    admin: Client, two: tuple[CouncilRun, CouncilRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = admin.get(reverse("admin:councils_councilrun_changelist"))
    assert page.context["cl"].result_count == 2
    monkeypatch.setattr(large, "MOST_COUNTED", 1)

    with CaptureQueriesContext(connection) as queries:
        page = admin.get(reverse("admin:councils_councilrun_changelist"))

    counts = [query["sql"] for query in queries.captured_queries if "COUNT(" in query["sql"]]
    assert len(counts) == 1
    assert "LIMIT 2" in counts[0]
    assert not admin.get(reverse("admin:councils_councilrun_changelist"), {"_facets": "True"}).context["cl"].add_facets
    assert "JOIN" not in counts[0]
    assert str(page.context["cl"].result_count) == "1+"
    assert " 1+" in " ".join(page.text.split())
