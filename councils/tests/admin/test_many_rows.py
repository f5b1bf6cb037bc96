"""What is done to many rows at once costs little more than what is done to one, and has an end. Lists ask no more for more rows."""

from datetime import date

import pytest
from django.contrib import admin as django_admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from councils.admin import draft as drafts
from councils.models import (
    AnswerPick,
    AuditEntry,
    CachedResponse,
    CacheStatistic,
    CouncilDraft,
    EngineSign,
    Feedback,
    HealthRecord,
    ModelPrice,
    QuestionSet,
    RateLimitLog,
    ScheduledJob,
    Trial,
    User,
)
from councils.services.curating import clone_council
from councils.services.drafting import Proposal, document_of, keep_draft, propose
from councils.tests.admin.test_pages import RECORDS, SET_UP, list_of
from councils.tests.factories import make_council, make_model, make_run, make_user

pytestmark = pytest.mark.django_db
PEOPLE = "/admin/councils/user/"
# The others have tests of their own: those of the pages, and that of drafts.
QUIET: tuple[type[Model], ...] = (
    AnswerPick, AuditEntry, CachedResponse, CacheStatistic, CrontabSchedule, EngineSign, Feedback, HealthRecord, IntervalSchedule,
    ModelPrice, PeriodicTask, QuestionSet, RateLimitLog, ScheduledJob, Trial,
)  # fmt: skip


def write_more(number: int) -> None:
    """One more row in each of these tables."""
    now, model, run = timezone.now(), make_model(), make_run()
    Feedback.objects.create(run=run, by=run.owner, verdict="up")
    AnswerPick.objects.create(run=run, by=run.owner, outcome="equal", shown=["agent_1"])
    HealthRecord.objects.create(provider=model.provider, model=model, state="healthy", since=now, checked_at=now)
    ModelPrice.objects.create(model=model, source="manual", by=run.owner)
    EngineSign.objects.create(worker=f"worker {number}", kind="web", started_at=now, seen_at=now)
    CachedResponse.objects.keep(ttl_s=60, cache_key=f"{number}", kind="llm", model_name=model.name, response_data={"text": "Yes."})
    CacheStatistic.objects.create(kind="llm", day=date(2026, 1, number))
    RateLimitLog.objects.create(identifier=f"user:{number}", endpoint="GET runs", window_start=now, window_end=now)
    AuditEntry.objects.create(
        actor_name="root", door="admin", verb="changed", kind="councils.provider", object_id=number, changes={"a": []}
    )
    QuestionSet.objects.create(name=f"Set {number}").questions.create(text="Who?")
    Trial.objects.create(council=make_council(), by=run.owner)
    ScheduledJob.objects.create(name=f"job {number}")
    every = IntervalSchedule.objects.create(every=number, period="days")
    crontab = CrontabSchedule.objects.create(minute=f"{number}")
    PeriodicTask.objects.create(name=f"hourly {number}", task="councils.tasks.sweep", interval=every)
    PeriodicTask.objects.create(name=f"daily {number}", task="councils.tasks.sweep", crontab=crontab)


def test_no_list_of_the_admin_is_left_out() -> None:
    ours = {model for model in django_admin.site._registry if model._meta.app_label != "analytics"}

    assert ours == {*RECORDS, *SET_UP, *QUIET, CouncilDraft}


def test_lists_ask_the_database_no_more_for_more_rows(admin: Client) -> None:
    def counts() -> dict[str, int]:
        found = {}
        for model in QUIET:
            with CaptureQueriesContext(connection) as asked:
                assert admin.get(list_of(model)).status_code == 200
            found[model.__name__] = len(asked)
        return found

    write_more(1)
    counts()  # Content types and the like are read once.
    few = counts()
    for number in (2, 3, 4):
        write_more(number)

    assert counts() == few


def switch_all_off(admin: Client, one: User) -> str:
    chosen = {"action": "deactivate", "_selected_action": [one.pk], "select_across": "1"}
    return admin.post(PEOPLE, chosen, follow=True).text


def test_each_row_more_costs_an_action_no_more_than_its_entry(admin: Client) -> None:
    people = [make_user() for _ in range(2)]
    counts = []
    for more in (0, 10):
        people += [make_user() for _ in range(more)]
        User.objects.filter(pk__in=[user.pk for user in people]).update(is_active=True)
        before = AuditEntry.objects.count()
        with CaptureQueriesContext(connection) as asked:
            switch_all_off(admin, people[0])
        assert AuditEntry.objects.count() - before == len(people)
        counts.append(len(asked))

    assert counts[1] - counts[0] <= 10


def test_more_rows_than_can_be_recorded_at_once_are_left_alone(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("councils.admin.base.MOST_AT_ONCE", 1)
    ada = make_user("ada")

    assert "Choose at most 1 rows at once" in switch_all_off(admin, ada)
    assert User.objects.get(pk=ada.pk).is_active


def test_a_draft_is_looked_at_once_and_costs_the_same_beside_many_councils(
    admin: Client, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    council = make_council()
    draft = keep_draft(council=council, document=document_of(council), by=root)
    page = f"/admin/councils/councildraft/{draft.pk}/change/"
    counts: list[int] = []
    proposed: list[object] = []

    def counted(*args: object) -> Proposal:
        proposed.append(args)
        return propose(draft.council, draft.document)

    monkeypatch.setattr(drafts, "propose", counted)
    admin.get(page)
    proposed.clear()
    for more in (0, 3):
        for _ in range(more):
            clone_council(council=council)
        with CaptureQueriesContext(connection) as asked:
            assert admin.get(page).status_code == 200
        counts.append(len(asked))

    assert len(proposed) == 2
    assert counts[0] == counts[1]
