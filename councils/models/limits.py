"""Who asked how often, and how often they were refused."""

from django.db import models
from django.db.models import F, Q


class RateLimitLog(models.Model):
    """Requests of one visitor to one endpoint in one window. Counted in memory and added here every few seconds."""

    identifier = models.CharField(max_length=80, help_text="user:<id>, key:<id> or ip:<address>")
    endpoint = models.CharField(max_length=120, help_text="Method and name of the address.")
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    request_count = models.PositiveIntegerField(default=0)
    blocked_count = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-window_start", "-blocked_count", "pk"]
        verbose_name = "rate limit log"
        indexes = [models.Index(fields=["-window_start", "-blocked_count"], name="rate_log_recent")]
        constraints = [
            models.UniqueConstraint(fields=["identifier", "endpoint", "window_start"], name="rate_log_unique"),
            models.CheckConstraint(condition=Q(blocked_count__lte=F("request_count")), name="rate_log_blocked_of_all"),
        ]

    def __str__(self) -> str:
        return f"{self.identifier} {self.endpoint}: {self.request_count}, {self.blocked_count} blocked"
