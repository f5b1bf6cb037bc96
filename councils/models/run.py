"""One deliberation: the run, its steps and its events. Only ``councils.store`` moves their status."""

from decimal import Decimal
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from councils.engine.events import EventType
from councils.engine.types import RunStatus, Stage, StepStatus
from councils.models.base import PublicIdModel
from councils.models.conversation import Conversation, Message
from councils.models.council import CouncilConfiguration
from councils.models.user import User

LIVE = (RunStatus.QUEUED.value, RunStatus.RUNNING.value)


class RunOrigin(models.TextChoices):
    WEB = "web", "Page"
    API = "api", "API"
    CLI = "cli", "Command line"


class RunQuerySet(models.QuerySet["CouncilRun"]):
    def live(self) -> "RunQuerySet":
        return self.filter(status__in=LIVE)

    def visible_to(self, user: User) -> "RunQuerySet":
        return self.filter(owner=user, conversation__deleted_at=None)

    def with_details(self) -> "RunQuerySet":
        return self.select_related("conversation", "message", "council", "owner").prefetch_related("steps", "steps__calls")


class CouncilRun(PublicIdModel):
    """One deliberation on one message. Times are wall-clock for people; nothing decides by comparing them.

    ``epoch`` counts owners, ``heartbeat`` their signs of life: every write of an owner says ``WHERE epoch = mine``.
    ``elapsed_ms`` is the time that owners have spent on the run, by their own monotonic clocks; the run's deadline counts it.
    ``barren_deaths`` counts owners that died since the last step was finished.
    """

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="runs")
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="deliberations")
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="runs")
    council = models.ForeignKey(CouncilConfiguration, on_delete=models.SET_NULL, null=True, blank=True, related_name="runs")
    council_name = models.CharField(max_length=100)
    origin = models.CharField(max_length=10, choices=RunOrigin.choices, default=RunOrigin.WEB)
    config_snapshot = models.JSONField()
    # Ciphertext of the keys that the run needs, by provider; emptied when the run ends. So a provider may be deleted meanwhile.
    sealed_keys = models.JSONField(default=dict, blank=True, editable=False)

    status = models.CharField(max_length=12, choices=[(s.value, s.value) for s in RunStatus], default=RunStatus.QUEUED.value)
    reason = models.TextField(blank=True, help_text="One sentence for people: how the run ended.")
    marks = models.JSONField(default=list, blank=True)
    answer = models.TextField(blank=True)
    answer_by = models.CharField(max_length=32, blank=True, help_text="chairman, or the seat whose answer it is.")
    consensus_score = models.FloatField(null=True, blank=True)

    epoch = models.PositiveIntegerField(default=0)
    heartbeat = models.PositiveBigIntegerField(default=0)
    worker = models.CharField(max_length=100, blank=True)
    barren_deaths = models.PositiveSmallIntegerField(default=0)
    elapsed_ms = models.PositiveBigIntegerField(default=0)
    next_seq = models.PositiveIntegerField(default=1)

    idempotency_key = models.CharField(max_length=200, null=True, blank=True)
    request_hash = models.CharField(max_length=64, blank=True, editable=False)

    prompt_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    known_cost_usd = models.DecimalField(max_digits=16, decimal_places=8, default=Decimal(0))
    unknown_costs = models.PositiveIntegerField(default=0, help_text="Calls whose cost is not known.")

    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "run"
        indexes = [
            models.Index(fields=["owner", "-created_at"], name="run_owner_recent"),
            models.Index(fields=["conversation", "id"], name="run_in_conversation"),
            models.Index(fields=["status"], condition=Q(status__in=LIVE), name="run_live"),
            models.Index(fields=["-created_at"], name="run_recent"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["owner", "idempotency_key"], name="run_idempotency_key_unique"),
            models.CheckConstraint(condition=Q(status__in=[s.value for s in RunStatus]), name="run_status_known"),
            models.CheckConstraint(condition=Q(known_cost_usd__gte=0), name="run_cost_not_negative"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def cost_usd(self) -> Decimal | None:
        """What the run has cost in USD; ``None`` when the cost of any call is unknown."""
        return None if self.unknown_costs else self.known_cost_usd

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def spec_seats(self) -> list[dict[str, Any]]:
        """The seats as they were when the run started, for pages and APIs."""
        seats: list[dict[str, Any]] = self.config_snapshot.get("spec", {}).get("seats", [])
        return seats


class StepQuerySet(models.QuerySet["RunStep"]):
    def of(self, stage: Stage) -> "StepQuerySet":
        return self.filter(stage=stage.value)


StepManager = models.Manager.from_queryset(StepQuerySet)


class RunStep(models.Model):
    """One part of a run, named by ``key``: an opinion, a review, the tally or the synthesis.

    ``payload`` holds what belongs to the kind: the ballot of a review, the numbers of the tally.
    """

    run = models.ForeignKey(CouncilRun, on_delete=models.CASCADE, related_name="steps")
    key = models.CharField(max_length=64)
    stage = models.CharField(max_length=12, choices=[(s.value, s.value) for s in Stage])
    agent_id = models.CharField(max_length=32, blank=True)
    status = models.CharField(max_length=12, choices=[(s.value, s.value) for s in StepStatus], default=StepStatus.RUNNING.value)
    text = models.TextField(blank=True)
    payload = models.JSONField(default=dict, blank=True)
    model_name = models.CharField(max_length=200, blank=True, help_text="The model that gave the result.")
    substituted = models.BooleanField(default=False)
    error_kind = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    finish_reason = models.CharField(max_length=20, blank=True)
    latency_ms = models.PositiveIntegerField(null=True, blank=True)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = StepManager()

    class Meta:
        ordering = ["pk"]
        verbose_name = "step"
        constraints = [
            models.UniqueConstraint(fields=["run", "key"], name="step_key_unique"),
            models.CheckConstraint(condition=Q(status__in=[s.value for s in StepStatus]), name="step_status_known"),
            models.CheckConstraint(condition=Q(stage__in=[s.value for s in Stage]), name="step_stage_known"),
        ]

    def __str__(self) -> str:
        return self.key


class StageManager(StepManager["RunStep"]):
    """The steps of one stage that a seat or the chairman takes; the tally is nobody's."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage

    def get_queryset(self) -> StepQuerySet:
        steps = StepQuerySet(self.model, using=self._db).of(self._stage)
        return steps.exclude(agent_id="") if self._stage is Stage.REVIEW else steps


class Opinion(RunStep):
    """A seat's own answer."""

    objects: ClassVar["StageManager"] = StageManager(Stage.OPINIONS)

    class Meta:
        proxy = True


class Review(RunStep):
    """A reviewer's ballot. ``payload`` is the counted ballot, or says why there is none."""

    objects: ClassVar["StageManager"] = StageManager(Stage.REVIEW)

    class Meta:
        proxy = True


class Synthesis(RunStep):
    """What the chairman wrote."""

    objects: ClassVar["StageManager"] = StageManager(Stage.SYNTHESIS)

    class Meta:
        proxy = True
        verbose_name_plural = "syntheses"


class RunEvent(models.Model):
    """One line of a run's history. ``seq`` counts from 1 without a gap. Texts of answers stay in the step."""

    run = models.ForeignKey(CouncilRun, on_delete=models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    type = models.CharField(max_length=32, choices=[(t.value, t.value) for t in EventType])
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["run", "seq"]
        verbose_name = "event"
        constraints = [
            models.UniqueConstraint(fields=["run", "seq"], name="event_seq_unique"),
            models.CheckConstraint(condition=Q(seq__gte=1), name="event_seq_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"
