"""Money: every attempt at a provider, and what was booked for it."""

from decimal import Decimal
from enum import StrEnum

from django.db import models
from django.db.models import Q

from councils.engine.types import UsageSource
from councils.models.base import PublicIdModel
from councils.models.provider import ModelInfo
from councils.models.run import LIVE, CouncilRun, RunStep
from councils.models.user import User


class CallStatus(StrEnum):
    """The life of one attempt. ``SENDING`` is committed before the first byte leaves; all others are final.

    An orphan's owner died: whether the provider answered is not known. If the owner turns up again it still books the call.
    """

    SENDING = "sending"
    DONE = "done"
    REFUSED = "refused"  # the provider said no before any text
    BROKEN = "broken"  # failed after sending, or the answer was unusable
    ORPHANED = "orphaned"
    CANCELLED = "cancelled"


class ModelCallQuerySet(models.QuerySet["ModelCall"]):
    def visible_to(self, user: User) -> "ModelCallQuerySet":
        return self.filter(run__owner=user, run__conversation__deleted_at=None)

    def of_unknown_cost(self) -> "ModelCallQuerySet":
        """Calls that are over, in runs that are over, and nobody knows what they cost: budgets hold them until staff say."""
        return self.filter(cost_usd=None, finished_at__isnull=False).exclude(run__status__in=LIVE)


class ModelCall(PublicIdModel):
    """One paid attempt. The provider sees ``public_id`` as ``X-Client-Request-Id``.

    ``cost_usd`` is ``None`` while unknown. Prices are those at the time of the call, USD per 1,000 tokens. ``reserved_usd`` is the upper
    estimate that budgets held while it was under way, 0 where none applied.
    """

    run = models.ForeignKey(CouncilRun, on_delete=models.CASCADE, related_name="calls")
    step = models.ForeignKey(RunStep, on_delete=models.CASCADE, related_name="calls")
    attempt = models.PositiveSmallIntegerField()
    epoch = models.PositiveIntegerField()
    model = models.ForeignKey(ModelInfo, on_delete=models.SET_NULL, null=True, blank=True, related_name="calls")
    model_name = models.CharField(max_length=200)
    provider_name = models.CharField(max_length=100)
    endpoint = models.CharField(max_length=500, blank=True, help_text="The base address that was asked.")
    status = models.CharField(max_length=12, choices=[(s.value, s.value) for s in CallStatus], default=CallStatus.SENDING.value)
    substituted = models.BooleanField(default=False)
    cached = models.BooleanField(default=False, help_text="Answered from the cache: nothing was sent, nothing was paid.")
    structured_mode = models.CharField(max_length=20, blank=True)
    prompt_hash = models.CharField(
        max_length=64, blank=True, default="", db_default="", editable=False, help_text="SHA-256 of the messages that were sent."
    )
    reported_model = models.CharField(max_length=200, blank=True)
    finish_reason = models.CharField(max_length=20, blank=True)
    findings = models.JSONField(default=list, blank=True, help_text="What the checks of the answer found.")
    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(null=True, blank=True)
    usage_source = models.CharField(max_length=10, choices=[(s.value, s.value) for s in UsageSource], blank=True)
    input_price = models.DecimalField(max_digits=14, decimal_places=8, null=True, blank=True)
    output_price = models.DecimalField(max_digits=14, decimal_places=8, null=True, blank=True)
    cost_usd = models.DecimalField(max_digits=16, decimal_places=8, null=True, blank=True)
    reserved_usd = models.DecimalField(max_digits=16, decimal_places=8, default=Decimal(0))
    error_kind = models.CharField(max_length=40, blank=True)
    error_detail = models.TextField(blank=True)
    latency_ms = models.PositiveIntegerField(null=True, blank=True)
    first_token_ms = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ModelCallQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name = "call"
        indexes = [
            models.Index(fields=["-created_at"], name="call_recent"),
            models.Index(fields=["model", "-created_at"], name="call_by_model"),
            models.Index(fields=["status"], condition=Q(status="sending"), name="call_sending"),
            models.Index(fields=["run"], condition=Q(cost_usd=None), name="call_of_unknown_cost"),
            models.Index(fields=["finished_at"], name="call_finished"),
            models.Index(fields=["error_kind", "-id"], condition=~Q(error_kind=""), name="call_errors"),
        ]
        permissions = [("settle_modelcall", "Can book calls of unknown cost")]
        constraints = [
            models.UniqueConstraint(fields=["step", "attempt"], name="call_attempt_unique"),
            models.CheckConstraint(condition=Q(attempt__gte=1), name="call_attempt_from_one"),
            models.CheckConstraint(condition=Q(cost_usd=None) | Q(cost_usd__gte=0), name="call_cost_not_negative"),
            models.CheckConstraint(condition=Q(status__in=[s.value for s in CallStatus]), name="call_status_known"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} ({self.model_name})"

    @property
    def total_tokens(self) -> int | None:
        if self.prompt_tokens is None or self.completion_tokens is None:
            return None
        return self.prompt_tokens + self.completion_tokens


class EntryKind(models.TextChoices):
    CHARGED = "charged", "Charged"
    CORRECTED = "corrected", "Corrected"


class LedgerEntry(models.Model):
    """One booking, never changed. ``account`` is ``user:<id>``. An unknown amount is ``None`` and stays visible."""

    call = models.ForeignKey(ModelCall, on_delete=models.CASCADE, related_name="entries")
    account = models.CharField(max_length=64)
    kind = models.CharField(max_length=10, choices=EntryKind.choices)
    amount_usd = models.DecimalField(max_digits=16, decimal_places=8, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "ledger entries"
        indexes = [
            models.Index(fields=["account", "-created_at"], name="ledger_by_account"),
            models.Index(fields=["created_at"], condition=Q(kind="corrected"), name="ledger_corrections"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["call", "account", "kind"], name="ledger_entry_unique"),
            models.CheckConstraint(condition=Q(kind__in=EntryKind.values), name="ledger_kind_known"),
        ]

    def __str__(self) -> str:
        amount = "an unknown amount" if self.amount_usd is None else f"{self.amount_usd.normalize():f} USD"
        return f"{self.kind} {amount} {'to' if self.kind == EntryKind.CHARGED else 'for'} {self.holder}"

    @property
    def holder(self) -> str:
        """Whose account it is, in words; the owner of the run in general. Load ``call__run__owner`` with the entries of a list."""
        owner = self.call.run.owner
        return owner.username if self.account == f"user:{owner.pk}" else self.account
