"""The pages of figures: right, read-only, hostile names shown as text."""

import csv
import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from analytics.admin.usage import list_behind
from analytics.aggregation import aggregate
from analytics.insights import model_insights
from analytics.models import ConversationAnalytics, ModelAnalytics
from analytics.tests.history import History
from analytics.usage_lines import Line
from analytics.usage_words import Asked, By
from councils.engine.types import Stage
from councils.models import CallStatus, ModelInfo, ModelPrice
from councils.tests.factories import make_council, make_model, make_run, make_user

pytestmark = pytest.mark.django_db

USAGE = "/admin/analytics/modelanalytics/usage/"
HOURS = "/admin/analytics/modelanalytics/"
CONVERSATIONS = "/admin/analytics/conversationanalytics/"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def viewer() -> Client:
    """Sees figures, not the ledger."""
    user = make_user(is_staff=True)
    names = ("view_modelanalytics", "view_conversationanalytics", "view_councilrun", "view_modelcall", "view_conversation")
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    browser = Client()
    browser.force_login(user)
    return browser


def lines_of(answer: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.decode("utf-8-sig"))))


@pytest.mark.parametrize("by", ["user", "council", "seat", "model", "key", "day", "nonsense"])
def test_each_report_opens_and_its_lines_lead_to_lists_that_open(root: Client, by: str) -> None:
    make_run(council=make_council(seats=2))
    aggregate()

    page = root.get(USAGE, {"by": by, "from": "x", "to": "9999-99-99"})

    assert page.context["lines"]
    for row in page.context["lines"]:
        assert not row["address"] or root.get(row["address"]).context["cl"].result_count
    assert [row["address"] for row in page.context["lines"]] != [""] or by == "key"
    file = lines_of(b"".join(root.get(USAGE, {"by": by, "format": "csv"})))
    assert len(file) == len(page.context["lines"]) + 1


@pytest.mark.parametrize(
    ("by", "words", "leads_on"),
    [
        (By.USER, {"user": "ada"}, True),
        (By.USER, {"council": "Pricing"}, False),
        (By.MODEL, {"model": "small"}, True),
        (By.MODEL, {"user": "ada"}, False),
        (By.DAY, {"seat": "chairman"}, False),
    ],
)
def test_a_line_leads_on_only_where_the_list_holds_what_it_counts(by: By, words: dict[str, str], leads_on: bool) -> None:
    today = timezone.now().date()
    keys = {By.USER: (1,), By.MODEL: ("Acme", "small"), By.DAY: (today,)}

    assert bool(list_behind(Asked.of(by, today, today, **words), Line(key=keys[by], pk=1))) is leads_on


def test_who_may_see_figures_may_see_what_was_spent(viewer: Client) -> None:
    history = History()
    history.run(timezone.now() - timedelta(days=1))
    history.call(timezone.now() - timedelta(days=1), cost_usd="0.1234")
    aggregate()
    row = ModelAnalytics.objects.get()

    for address in (USAGE, HOURS, CONVERSATIONS, f"{HOURS}{row.pk}/change/"):
        assert "0.1234" in viewer.get(address).text
    assert b"0.1234" in viewer.post(HOURS, {"action": "as_csv", "_selected_action": row.pk}).getvalue()


def test_hours_and_conversations_are_read_and_never_written(root: Client) -> None:
    run = make_run(council=make_council(seats=2))
    aggregate()

    hour, figures = ModelAnalytics.objects.first(), ConversationAnalytics.objects.get()
    assert hour is not None
    for address in (HOURS, CONVERSATIONS, f"{HOURS}{hour.pk}/change/", f"{CONVERSATIONS}{figures.pk}/change/"):
        assert root.get(address).status_code == 200
    assert root.get(f"{HOURS}add/").status_code == root.post(f"{HOURS}{hour.pk}/delete/").status_code == 403
    assert run.conversation.title in root.get(CONVERSATIONS).text
    assert root.get(f"{HOURS}?model={hour.model_id}&day=7").context["cl"].result_count >= 1
    assert root.get(HOURS, {"day": "yesterday"}).status_code == 200


@pytest.mark.parametrize("address", [HOURS, CONVERSATIONS, "/admin/councils/modelprice/"])
def test_more_rows_cost_a_list_no_more_queries(root: Client, address: str) -> None:
    def fill() -> None:
        History(model=make_model()).call(timezone.now())
        make_run()
        aggregate()

    fill()
    root.get(address)
    with CaptureQueriesContext(connection) as few:
        root.get(address)
    for _ in range(3):
        fill()
    with CaptureQueriesContext(connection) as many:
        root.get(address)

    assert len(many) == len(few)


def test_hostile_names_are_text_on_pages_and_no_formulas_in_files(root: Client) -> None:
    history = History(model=make_model(f"=1+1{HOSTILE}"))
    history.conversation.title = HOSTILE
    history.conversation.save()
    history.run(timezone.now())
    history.call(timezone.now(), model_name=f"=1+1{HOSTILE}")
    aggregate()

    for address in (f"{USAGE}?by=model&user={HOSTILE}", f"{USAGE}?by=model", HOURS, CONVERSATIONS, "/admin/councils/modelprice/"):
        assert HOSTILE not in root.get(address).text
    assert lines_of(b"".join(root.get(USAGE, {"by": "model", "format": "csv"})))[1][0].startswith("'=1+1")


def test_prices_of_a_deleted_model_are_found_by_its_name(root: Client) -> None:
    model = make_model("gone-7b")
    ModelPrice.objects.create(model=model, model_name="gone-7b", provider_name="Acme", input_price=1, source="manual")
    model.delete()

    found = root.get(reverse("admin:councils_modelprice_changelist"), {"q": "gone", "model": "gone"})

    assert "gone-7b (deleted)" in found.text
    assert "Acme" in found.text


@pytest.mark.parametrize("sent", [{"user": "a\x00b"}, {"model": "%_\\'"}, {"from": "0001-01-01"}, {"council": "x" * 5000}, {"by": ""}])
def test_whatever_is_asked_for_is_answered(root: Client, sent: dict[str, str]) -> None:
    assert root.get(USAGE, sent).status_code == 200


def test_a_conversation_and_a_model_tell_what_they_took_on_their_own_pages(root: Client, viewer: Client) -> None:
    history = History()
    run = history.run(timezone.now() - timedelta(minutes=5), consensus_score=0.75)
    first = history.step(run, "opinion:agent_1", Stage.OPINIONS, started_at=run.started_at, finished_at=run.finished_at)
    history.call(timezone.now() - timedelta(minutes=5), step=first, cost_usd="0.1234")
    history.call(timezone.now() - timedelta(days=3), cost_usd="0.0066")
    aggregate()
    model = f"/admin/councils/modelinfo/{history.model.pk}/change/"
    conversation = f"/admin/councils/conversation/{history.conversation.pk}/change/"
    stored = ConversationAnalytics.objects.get().computed_at

    page = root.get(model).text
    assert all(said in page for said in ("How it does", "0.1234 USD", "0.1300 USD", "Hour by hour"))
    page = root.get(conversation).text
    assert all(said in page for said in ("What it took", "1 of 1", "0.75", "0.1300 USD"))
    assert "0.1300 USD" in viewer.get(conversation).text
    assert ConversationAnalytics.objects.get().computed_at == stored


def test_a_new_conversation_and_a_new_model_have_nothing_to_tell(root: Client) -> None:
    history = History()

    assert "No run of it has ended yet." in root.get(f"/admin/councils/conversation/{history.conversation.pk}/change/").text
    assert root.get(f"/admin/councils/modelinfo/{history.model.pk}/change/").status_code == 200
    assert "How it does" not in root.get("/admin/councils/modelinfo/add/").text


def test_a_model_adds_its_hours_up_and_counts_the_open_ones(root: Client) -> None:
    history, now = History(), timezone.now()
    for days, latency in ((0, 1_000), (5, 3_000), (20, 3_000), (40, 3_000)):
        history.call(now - timedelta(days=days), latency_ms=latency)
    history.call(now, CallStatus.BROKEN, error_kind="timeout")
    aggregate()

    day, week, month = model_insights(history.model, now)

    assert [span.requests for span in (day, week, month)] == [2, 3, 4]
    assert (day.success_rate, day.half_within_ms, day.faults) == (0.5, 1_000, [("timeout", 1)])
    assert month.half_within_ms == pytest.approx(3_000, rel=0.1)


def test_the_first_page_ranks_the_models_of_a_week_and_leads_to_their_hours(root: Client, viewer: Client) -> None:
    history = History()
    for days in (1, 2, 20):
        history.call(timezone.now() - timedelta(days=days))
    aggregate()

    page = root.get("/admin/")
    (standing,) = page.context["standings"]

    assert standing.model == history.model.name
    ModelInfo.objects.filter(pk=history.model.pk).update(label="Swift")
    assert [one.model for one in root.get("/admin/").context["standings"]] == ["Swift"]
    assert {one.name for one in root.get("/admin/").context["charts"][1].series} == {"Swift"}
    assert (standing.requests, standing.success_rate, standing.average_ms) == (2, 1.0, 1_000)
    assert "Models in the last 7 days" in page.text
    assert root.get(standing.address).context["cl"].result_count == 2
    assert "Models in the last 7 days" in viewer.get("/admin/").text
