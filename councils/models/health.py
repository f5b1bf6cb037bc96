"""What is known of how things are: processes that work, addresses and models that answer, jobs that ran.

These rows are for people and monitors. No run depends on them: each process learns by itself whom to leave alone.
"""

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from councils.models.provider import ModelInfo, Provider

ALIVE = timedelta(seconds=20)
"""A process that has not signed for so long does not work. It signs every few seconds."""

STALE = timedelta(minutes=15)
"""Three checks missed: what the last one found is no news any more."""


class EngineSignQuerySet(models.QuerySet["EngineSign"]):
    def alive(self) -> "EngineSignQuerySet":
        return self.filter(seen_at__gte=Now() - ALIVE)

    def with_alive(self) -> "EngineSignQuerySet":
        """Each with ``is_alive``."""
        return self.annotate(is_alive=Q(seen_at__gte=Now() - ALIVE))


class EngineSign(models.Model):
    """That the engine of a process works: written by its scan, by the database's clock, so that no two machines' clocks are compared.

    ``left_alone`` are the addresses, and models there, that this process asks no more for now: ``{provider, address, model, state}``.
    """

    worker = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=12)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)
    runs = models.PositiveIntegerField(default=0, help_text="Runs that it drives now.")
    left_alone = models.JSONField(default=list, blank=True)

    objects = EngineSignQuerySet.as_manager()

    class Meta:
        ordering = ["worker"]
        verbose_name = "engine"

    def __str__(self) -> str:
        return self.worker


class HealthState(models.TextChoices):
    HEALTHY = "healthy", "healthy"
    SLOW = "slow", "slow"
    FAILING = "failing", "failing"
    MISSING = "missing", "not served any more"
    UNKNOWN = "unknown", "cannot be told"


GOOD = (HealthState.HEALTHY.value, HealthState.SLOW.value)
BAD = (HealthState.FAILING.value, HealthState.MISSING.value)


class HealthRecordQuerySet(models.QuerySet["HealthRecord"]):
    def current(self) -> "HealthRecordQuerySet":
        return self.filter(is_current=True)

    def of_addresses(self) -> "HealthRecordQuerySet":
        return self.filter(model=None)

    def of_models(self) -> "HealthRecordQuerySet":
        return self.exclude(model=None)

    def in_use(self) -> "HealthRecordQuerySet":
        """Of active providers and, where it is of a model, active models. What is switched off is not checked any more."""
        return self.filter(Q(model=None) | Q(model__is_active=True), provider__is_active=True)

    def fresh(self) -> "HealthRecordQuerySet":
        """Those whose last check is not too long ago to say anything about now."""
        return self.filter(checked_at__gte=timezone.now() - STALE)


class HealthRecord(models.Model):
    """A time during which an address of a provider, or a model of it, was found in one state by every check.

    The current one goes on: each check that finds the same counts in it. ``latency_ms`` and ``problem`` are those of the last check.
    """

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="health_records")
    model = models.ForeignKey(ModelInfo, on_delete=models.CASCADE, null=True, blank=True, related_name="health_records")
    base_url = models.CharField(
        "address", max_length=500, blank=True, help_text="Empty for a model: any address of its provider may serve it."
    )
    state = models.CharField(max_length=10, choices=HealthState.choices)
    is_current = models.BooleanField("now", default=True)
    since = models.DateTimeField()
    checked_at = models.DateTimeField("last check")
    checks = models.PositiveIntegerField(default=1)
    latency_ms = models.PositiveIntegerField(null=True, blank=True)
    problem = models.TextField(blank=True)

    objects = HealthRecordQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = "health record"
        indexes = [models.Index(fields=["checked_at"], condition=Q(is_current=False), name="health_past")]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "base_url"], condition=Q(is_current=True, model=None), name="health_one_current_per_address"
            ),
            models.UniqueConstraint(fields=["model"], condition=Q(is_current=True) & ~Q(model=None), name="health_one_current_per_model"),
            models.CheckConstraint(condition=Q(state__in=HealthState.values), name="health_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.state} since {self.since:%Y-%m-%d %H:%M}"


class ScheduledJob(models.Model):
    """Who runs a job of the schedule without a broker, and how it went the last time.

    ``held_until`` ends the hold of a process that died: longer than that no job takes.
    """

    name = models.CharField(max_length=200, unique=True)
    holder = models.CharField(max_length=100, blank=True)
    held_until = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    succeeded = models.BooleanField(null=True, blank=True)
    outcome = models.TextField(blank=True, help_text="What the job returned, or why it failed.")

    class Meta:
        ordering = ["name"]
        verbose_name = "scheduled job"

    def __str__(self) -> str:
        return self.name
