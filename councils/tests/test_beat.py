"""Celery's beat reads the staff's schedule."""

import pytest
from celery import current_app
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from pytest_django.fixtures import Settings

from councils.beat import StaffScheduler

# Beat closes its connection between two looks.
pytestmark = pytest.mark.django_db(transaction=True)


def started(settings: Settings) -> StaffScheduler:
    """A scheduler as beat starts it."""
    current_app.conf.beat_schedule = settings.CELERY_BEAT_SCHEDULE
    scheduler = StaffScheduler(app=current_app)
    scheduler._finalize.cancel()
    return scheduler


def test_a_first_start_enters_every_job(settings: Settings) -> None:
    scheduler = started(settings)

    assert set(settings.CELERY_BEAT_SCHEDULE) <= set(scheduler.schedule)
    assert PeriodicTask.objects.get(name="resend_unowned_runs").expire_seconds == 5
    assert current_app.conf.beat_scheduler == "councils.beat:StaffScheduler"


def test_a_restart_keeps_what_staff_have_changed(settings: Settings) -> None:
    started(settings)
    slower = IntervalSchedule.objects.create(every=7, period="days")
    PeriodicTask.objects.filter(name="health_check_models").update(interval=slower)
    PeriodicTask.objects.filter(name="cleanup_expired_cache").update(enabled=False)

    scheduler = started(settings)

    assert scheduler.schedule["health_check_models"].schedule.run_every.days == 7
    assert "cleanup_expired_cache" not in scheduler.schedule
