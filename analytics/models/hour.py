"""What the whole place did in an hour."""

from django.db import models
from django.db.models import F, Q

from analytics.histogram import Histogram


class HourAnalytics(models.Model):
    """Runs that were asked and calls that were begun in the hour from ``hour`` on, as far as they have ended.

    Cost in units of 0.00000001 USD, which add up exactly; calls of unknown cost are counted and not in the sum. ``run_times`` are
    those of runs that were not cancelled, from start to end (see ``analytics.histogram``).
    """

    hour = models.DateTimeField(unique=True)
    aggregated_at = models.DateTimeField()

    succeeded = models.PositiveIntegerField(default=0)
    partial = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    consensus_sum = models.FloatField(default=0)
    consensus_count = models.PositiveIntegerField(default=0)
    run_times = models.JSONField(default=dict)
    run_total_ms = models.PositiveBigIntegerField(default=0)
    run_least_ms = models.PositiveBigIntegerField(null=True)
    run_most_ms = models.PositiveBigIntegerField(null=True)

    requests = models.PositiveIntegerField(default=0)
    cache_hits = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)
    errors_by_kind = models.JSONField(default=dict)
    prompt_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    cost_units = models.PositiveBigIntegerField(default=0)
    unknown_costs = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-hour"]
        verbose_name = verbose_name_plural = "hourly figures"
        constraints = [models.CheckConstraint(condition=Q(errors__lte=F("requests")), name="hour_errors_of_requests")]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:00}"

    @property
    def times(self) -> Histogram:
        return Histogram.stored(self.run_times, self.run_total_ms, self.run_least_ms, self.run_most_ms)
