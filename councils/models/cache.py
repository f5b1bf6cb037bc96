"""The lasting tier of the cache, and how well the cache does."""

from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from councils.models.provider import ModelInfo


class CacheKind(models.TextChoices):
    LLM = "llm", "Answers of models"
    MCP = "mcp", "Results of tools"
    INTENT = "intent", "Intent analyses"


class CachedResponseQuerySet(models.QuerySet["CachedResponse"]):
    def fresh(self) -> "CachedResponseQuerySet":
        return self.filter(expires_at__gt=timezone.now())

    def expired(self) -> "CachedResponseQuerySet":
        return self.filter(expires_at__lte=timezone.now())

    def keep(self, *, ttl_s: float, **fields: Any) -> "CachedResponse":
        """Store or renew one response, for ``ttl_s`` seconds."""
        now = timezone.now()
        fields |= {"created_at": now, "last_used_at": now, "expires_at": now + timedelta(seconds=ttl_s)}
        return self.update_or_create(cache_key=fields.pop("cache_key"), defaults=fields)[0]

    def evict(self, *, down_to: int) -> int:
        """Delete the least recently used until ``down_to`` are left; how many that were."""
        surplus = self.count() - down_to
        if surplus <= 0:
            return 0
        oldest = list(self.order_by("last_used_at", "pk").values_list("pk", flat=True)[:surplus])
        return self.filter(pk__in=oldest).delete()[0]


class CachedResponse(models.Model):
    """One response that need not be paid again until ``expires_at``. ``hit_count`` lags by a few seconds."""

    kind = models.CharField(max_length=10, choices=CacheKind.choices)
    cache_key = models.CharField(max_length=64, unique=True)
    model = models.ForeignKey(ModelInfo, on_delete=models.SET_NULL, null=True, blank=True, related_name="cached_responses")
    model_name = models.CharField(max_length=200, blank=True)
    prompt_hash = models.CharField(max_length=64, blank=True)
    response_data = models.JSONField()
    size_bytes = models.PositiveIntegerField(default=0)
    hit_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    objects = CachedResponseQuerySet.as_manager()

    class Meta:
        ordering = ["-last_used_at", "pk"]
        indexes = [
            models.Index(fields=["last_used_at"], name="cached_least_recent"),
            models.Index(fields=["expires_at"], name="cached_expiry"),
            models.Index(fields=["kind", "model_name"], name="cached_by_model"),
        ]
        constraints = [models.CheckConstraint(condition=Q(kind__in=CacheKind.values), name="cached_kind_known")]

    def __str__(self) -> str:
        return f"{self.kind} {self.cache_key[:12]}"


class CacheStatistic(models.Model):
    """How often a kind was looked for and found on a day (UTC)."""

    kind = models.CharField(max_length=10, choices=CacheKind.choices)
    day = models.DateField()
    requests = models.PositiveBigIntegerField(default=0)
    hits = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-day", "kind"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "day"], name="cache_statistic_unique"),
            models.CheckConstraint(condition=Q(hits__lte=F("requests")), name="cache_statistic_hits_of_requests"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} on {self.day}: {self.hits} of {self.requests}"


class CacheGeneration(models.Model):
    """Which entries of the fast tier count: those of the kind's present number. It is raised whenever some are forgotten."""

    kind = models.CharField(max_length=10, choices=CacheKind.choices, unique=True)
    number = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.kind}: generation {self.number}"
