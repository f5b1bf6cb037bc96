"""What was used in a day: by who asked, and by who answered."""

from django.db import models
from django.db.models import F, Q

from analytics.sums import Sums
from councils.models import ApiKey, CouncilConfiguration, User


class Usage(Sums, models.Model):
    """Calls that were begun on a day, UTC, as far as they have ended. What its columns count is what ``ModelAnalytics`` counts.

    ``answers`` are the calls whose latency is known: those that brought one.
    """

    day = models.DateField()
    council = models.ForeignKey(CouncilConfiguration, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    council_name = models.CharField(max_length=100)

    requests = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    cache_hits = models.PositiveIntegerField(default=0)
    prompt_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    cost_units = models.PositiveBigIntegerField(default=0)
    unknown_costs = models.PositiveIntegerField(default=0)
    answers = models.PositiveIntegerField(default=0)
    latency_total_ms = models.PositiveBigIntegerField(default=0)
    latency_most_ms = models.PositiveBigIntegerField(null=True)

    class Meta:
        abstract = True


class UserUsage(Usage):
    """What a user had one council do in a day, with one API key or on the pages. Outlives them all."""

    owner = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    api_key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="API key")

    class Meta:
        ordering = ["-day", "pk"]
        verbose_name = verbose_name_plural = "daily usage by user"
        indexes = [models.Index(fields=["day"], name="user_usage_day")]
        constraints = [models.CheckConstraint(condition=Q(errors__lte=F("requests")), name="user_usage_errors_of_requests")]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d}"


class SeatUsage(Usage):
    """What one model did in one seat of a council in a day. ``agent_id`` is empty for the chairman."""

    agent_id = models.CharField(max_length=32, blank=True)
    provider_name = models.CharField(max_length=100)
    model_name = models.CharField(max_length=200)

    class Meta:
        ordering = ["-day", "pk"]
        verbose_name = verbose_name_plural = "daily usage by seat"
        indexes = [models.Index(fields=["day"], name="seat_usage_day")]
        constraints = [models.CheckConstraint(condition=Q(errors__lte=F("requests")), name="seat_usage_errors_of_requests")]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d}"
