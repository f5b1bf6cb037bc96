"""The schedule in the admin: switches, times, and jobs run out of turn."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from pytest_django.fixtures import Settings

from councils.models import ScheduledJob
from councils.services.scheduling import enter_jobs
from councils.tests.admin.conftest import sign_in
from councils.tests.factories import make_user

pytestmark = pytest.mark.django_db
LIST = reverse("admin:django_celery_beat_periodictask_changelist")


@pytest.fixture(autouse=True)
def entered(settings: Settings) -> None:
    enter_jobs(settings.CELERY_BEAT_SCHEDULE)


def job(name: str = "cleanup_expired_cache") -> PeriodicTask:
    return PeriodicTask.objects.get(name=name)


def do(client: Client, action: str, *rows: PeriodicTask) -> str:
    answer = client.post(LIST, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)
    assert answer.status_code == 200
    return " ".join(str(message) for message in answer.context["messages"])


def test_every_job_is_listed_with_its_time_and_its_outcome(admin: Client, settings: Settings) -> None:
    now = timezone.now()
    ScheduledJob.objects.create(
        name="cleanup_expired_cache", started_at=now, finished_at=now, succeeded=True, outcome='{"deleted_count": 3}'
    )
    ScheduledJob.objects.create(name="health_check_models", started_at=now, succeeded=False, outcome="OSError: <b>disk</b>")
    page = admin.get(LIST).content.decode()

    for name in settings.CELERY_BEAT_SCHEDULE:
        assert name in page
    assert "deleted_count" in page
    assert "failed: OSError: &lt;b&gt;disk&lt;/b&gt;" in page


def test_run_now_runs_the_job_and_says_what_became_of_it(admin: Client) -> None:
    assert 'cleanup_expired_cache: {"deleted_count": 0}' in do(admin, "run_tasks", job())
    assert ScheduledJob.objects.get().succeeded


def test_run_now_without_a_worker_to_be_had_says_so(admin: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RUN_ENGINE = "celery"
    sent: list[object] = []
    monkeypatch.setattr("celery.app.task.Task.apply_async", lambda *args, **message: sent.append(message))

    assert "was sent to the workers" in do(admin, "run_tasks", job())
    assert len(sent) == 1
    assert not ScheduledJob.objects.exists()


def test_jobs_are_switched_off_and_on(admin: Client) -> None:
    do(admin, "switch_off", job(), job("health_check_models"))
    assert not job().enabled
    do(admin, "switch_on", job())
    assert (job().enabled, job("health_check_models").enabled) == (True, False)


def test_a_time_is_changed_in_the_form(admin: Client) -> None:
    slower = IntervalSchedule.objects.create(every=2, period="hours")
    row = job("health_check_models")
    form = {
        "name": row.name, "regtask": row.task, "task": row.task, "enabled": "on", "interval": slower.pk, "args": "[]", "kwargs": "{}",
        "headers": "{}", "expire_seconds": "300", "start_time_0": "", "start_time_1": "", "expires_0": "", "expires_1": "",
    }  # fmt: skip

    answer = admin.post(reverse("admin:django_celery_beat_periodictask_change", args=[row.pk]), form)

    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert job("health_check_models").interval == slower


def test_the_list_takes_one_query_for_all_outcomes(admin: Client, django_assert_max_num_queries: Any) -> None:
    for name in ("cleanup_expired_cache", "health_check_models"):
        ScheduledJob.objects.create(name=name, started_at=timezone.now() - timedelta(hours=1), succeeded=True)
    admin.get(LIST)

    with django_assert_max_num_queries(12):
        admin.get(LIST)


@pytest.mark.parametrize("action", ["run_tasks", "switch_on", "switch_off"])
def test_who_may_only_look_changes_nothing(action: str) -> None:
    viewer = make_user(is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_periodictask"))
    before = list(PeriodicTask.objects.order_by("pk").values())

    answer = sign_in(viewer).post(LIST, {"action": action, "_selected_action": [job().pk]}, follow=True)

    assert answer.status_code == 200
    assert list(PeriodicTask.objects.order_by("pk").values()) == before
    assert not ScheduledJob.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_job_that_is_run_out_of_turn_holds_no_transaction_open(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def run(row: PeriodicTask) -> str:
        seen.append(connection.in_atomic_block)
        return str(row.name)

    monkeypatch.setattr("councils.admin.schedule.run_now", run)

    assert job().name in do(admin, "run_tasks", job())
    assert seen == [False]
