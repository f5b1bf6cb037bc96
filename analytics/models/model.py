"""How one model did in an hour."""

from django.db import models
from django.db.models import F, Q

from analytics.histogram import Histogram
from analytics.sums import Sums
from councils.models import ModelInfo


class ModelAnalytics(Sums, models.Model):
    """Calls of one model at one provider that were begun in the hour from ``hour`` on, as far as they have ended.

    ``requests`` went to the provider; ``cache_hits`` did not, and nothing else counts them. Of the requests ``errors`` were refused,
    broken or orphaned and ``cancelled`` were broken off by us; the rest brought an answer. Latencies are of answers, in milliseconds:
    percentiles exact for the hour, ``latencies`` to add hours up. Ranks are places in the councils' counts of runs asked in the hour.
    """

    hour = models.DateTimeField()
    provider_name = models.CharField(max_length=100)
    model_name = models.CharField(max_length=200)
    model = models.ForeignKey(ModelInfo, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    requests = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    cache_hits = models.PositiveIntegerField(default=0)
    errors_by_kind = models.JSONField(default=dict)

    latencies = models.JSONField(default=dict)
    latency_total_ms = models.PositiveBigIntegerField(default=0)
    latency_least_ms = models.PositiveBigIntegerField(null=True)
    latency_most_ms = models.PositiveBigIntegerField(null=True)
    average_latency_ms = models.PositiveBigIntegerField(null=True)
    p50_latency_ms = models.PositiveBigIntegerField(null=True)
    p95_latency_ms = models.PositiveBigIntegerField(null=True)
    p99_latency_ms = models.PositiveBigIntegerField(null=True)

    prompt_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    cost_units = models.PositiveBigIntegerField(default=0)
    unknown_costs = models.PositiveIntegerField(default=0)

    rank_sum = models.PositiveIntegerField(default=0)
    rank_count = models.PositiveIntegerField(default=0)
    ranked_first = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-hour", "provider_name", "model_name"]
        verbose_name = verbose_name_plural = "hourly figures of models"
        indexes = [models.Index(fields=["provider_name", "model_name", "-hour"], name="model_hours")]
        constraints = [
            models.UniqueConstraint(fields=["hour", "provider_name", "model_name"], name="model_hour_unique"),
            models.CheckConstraint(condition=Q(errors__lte=F("requests")), name="model_errors_of_requests"),
        ]

    def __str__(self) -> str:
        return f"{self.model_name} · {self.provider_name}, {self.hour:%Y-%m-%d %H:00}"

    @property
    def average_rank(self) -> float | None:
        """From 1, the best; ``None`` where nothing was voted on."""
        return self.rank_sum / self.rank_count if self.rank_count else None

    @property
    def times(self) -> Histogram:
        return Histogram.stored(self.latencies, self.latency_total_ms, self.latency_least_ms, self.latency_most_ms)
