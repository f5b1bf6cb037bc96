"""The schedule of background work, in the admin's looks: read by Celery's beat, or by the process that serves."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django_celery_beat import admin as beat
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from councils.admin.base import ReadOnlyAdmin, action, display, outside, register, restyled, unregister
from councils.admin.show import NOTHING, excerpt
from councils.models import ScheduledJob
from councils.services.scheduling import run_now, switch

for model in (ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule):
    unregister(model)

register(CrontabSchedule)(restyled(beat.CrontabScheduleAdmin))
register(IntervalSchedule)(restyled(beat.IntervalScheduleAdmin))
_Restyled: Any = restyled(beat.PeriodicTaskAdmin)


@register(PeriodicTask)
class PeriodicTaskAdmin(_Restyled):
    """Jobs may be switched off, moved, and run out of turn. One that is deleted comes back at the next start."""

    list_display = ("name", "enabled", "scheduler", "last_run_at", "outcome")
    list_filter = ("enabled", "task")
    date_hierarchy = None
    actions = ("run_tasks", "switch_on", "switch_off")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        # One query for the page, whatever it shows.
        outcomes = {job.name: job for job in ScheduledJob.objects.filter(name__in=[row.name for row in changelist.result_list])}
        for row in changelist.result_list:
            row.job = outcomes.get(row.name)
        return changelist

    @display(description="last outcome without a broker")
    def outcome(self, row: PeriodicTask) -> str:
        job = getattr(row, "job", None)
        if job is None or job.started_at is None:
            return NOTHING
        if job.succeeded is None:
            return "running"
        return excerpt(job.outcome) if job.succeeded else f"failed: {excerpt(job.outcome)}"

    @outside
    @action(description="Run now", permissions=["change"])
    def run_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        for row in queryset:
            self.message_user(request, run_now(row))

    @action(description="Switch on", permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self.message_user(request, f"{switch(queryset, on=True)} switched on.", messages.SUCCESS)

    @action(description="Switch off", permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self.message_user(request, f"{switch(queryset, on=False)} switched off.", messages.SUCCESS)


@register(ScheduledJob)
class ScheduledJobAdmin(ReadOnlyAdmin[ScheduledJob]):
    """How the jobs went that this installation ran without a broker."""

    list_display = ("name", "succeeded", "started_at", "finished_at", "holder")
    list_filter = ("succeeded",)
    fields = ("name", "succeeded", "outcome", "started_at", "finished_at", "holder", "held_until")
    readonly_fields = fields
