"""The schedule of background work, in the admin's looks. Only the full installation uses it."""

from django_celery_beat import admin as beat
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from councils.admin.base import register, restyled, unregister

for model in (ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule):
    unregister(model)

register(CrontabSchedule)(restyled(beat.CrontabScheduleAdmin))
register(IntervalSchedule)(restyled(beat.IntervalScheduleAdmin))
register(PeriodicTask)(restyled(beat.PeriodicTaskAdmin))
