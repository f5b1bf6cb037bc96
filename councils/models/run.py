"""One deliberation: the run, its steps and its events. Only ``councils.store`` moves their status."""

from decimal import Decimal
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from councils.engine.carrying import Course
from councils.engine.events import EventType
from councils.engine.types import Mark, RunStatus, Stage, StepStatus
from councils.models.base import PublicIdModel
from councils.models.conversation import Conversation, Message
from councils.models.council import CouncilConfiguration
from councils.models.prompt import PromptTemplate
from councils.models.user import ApiKey, User

LIVE = (RunStatus.QUEUED.value, RunStatus.RUNNING.value)


class RunOrigin(models.TextChoices):
    WEB = "web", "Page"
    API = "api", "API"
    CLI = "cli", "Command line"


class RunQuerySet(models.QuerySet["CouncilRun"]):
    def live(self) -> "RunQuerySet":
        return self.filter(status__in=LIVE)

    def held(self) -> "RunQuerySet":
        return self.live().filter(held=True)

    def visible_to(self, user: User) -> "RunQuerySet":
        mine = self.filter(owner=user, conversation__deleted_at=None)
        # Whoever is staff no more sees no drafts of councils any more either.
        return mine if user.is_staff else mine.filter(trial=False)

    def real(self) -> "RunQuerySet":
        """Without the trials of drafts: what a council has done for those who asked it. Statistics count these."""
        return self.filter(trial=False)

    def was_sent(self, user: User, idempotency_key: str | None) -> bool:
        """Whether this user's key has made a run already: then sending it again starts nothing."""
        return idempotency_key is not None and self.filter(owner=user, idempotency_key=idempotency_key).exists()

    def with_details(self) -> "RunQuerySet":
        return self.select_related("conversation", "message", "council", "owner", "pick").prefetch_related("steps", "steps__calls")


class CouncilRun(PublicIdModel):
    """One deliberation on one message. Times are wall-clock for people; nothing decides by comparing them.

    ``epoch`` counts owners, ``heartbeat`` their signs of life: every write of an owner says ``WHERE epoch = mine``.
    ``elapsed_ms`` is the time that owners have spent on the run, by their own monotonic clocks; the run's deadline counts it.
    ``barren_deaths`` counts owners that died since the last step was finished.

    The runs of one message are its versions, oldest first: each later try is a run of its own, ``based_on`` the one that it went on from.
    ``course`` says what it does of a deliberation. ``member`` is the seat that was asked instead of the council, empty where there is none.
    A ``trial`` is staff trying a version of a council: it is paid for like any run, and no statistic of the council counts it. ``prompts``
    are the stored versions that it asks with; the built-in ones have none.
    """

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="runs")
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="deliberations")
    # Who has asked is switched off, not deleted: the ledger of their calls is never thinned out.
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="runs")
    council = models.ForeignKey(CouncilConfiguration, on_delete=models.SET_NULL, null=True, blank=True, related_name="runs")
    council_name = models.CharField(max_length=100)
    course = models.CharField(max_length=10, choices=[(c.value, c.value) for c in Course], default=Course.FULL.value)
    based_on = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="continuations")
    member = models.CharField(max_length=32, blank=True, help_text="The seat that was asked instead of the council.")
    member_name = models.CharField(max_length=60, blank=True)
    trial = models.BooleanField(default=False, db_default=False, help_text="Staff tried a version of the council.")
    prompts = models.ManyToManyField(PromptTemplate, through="RunPrompt", related_name="runs")
    origin = models.CharField(max_length=10, choices=RunOrigin.choices, default=RunOrigin.WEB)
    api_key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, blank=True, related_name="runs", verbose_name="API key")
    config_snapshot = models.JSONField()
    blind = models.BooleanField(default=False, help_text="Who wrote what is hidden from the reader until they have picked the best answer.")
    council_chosen = models.BooleanField(
        default=False, db_default=False, help_text="Its owner chose the council; it was not the one that was ticked by itself."
    )
    # Ciphertext of the keys that the run needs, by provider; emptied when the run ends. So a provider may be deleted meanwhile.
    sealed_keys = models.JSONField(default=dict, blank=True, editable=False)

    status = models.CharField(max_length=12, choices=[(s.value, s.value) for s in RunStatus], default=RunStatus.QUEUED.value)
    reason = models.TextField(blank=True, help_text="How the run ended, in English, for logs and programs.")
    # The same as data, so that pages say it in the reader's language; empty in runs that an older version recorded.
    reason_code = models.CharField(max_length=32, blank=True)
    reason_facts = models.JSONField(default=dict, blank=True)
    marks = models.JSONField(default=list, blank=True)
    answer = models.TextField(blank=True)
    answer_by = models.CharField(max_length=32, blank=True, help_text="chairman, or the seat whose answer it is.")
    consensus_score = models.FloatField(null=True, blank=True)

    epoch = models.PositiveIntegerField(default=0)
    heartbeat = models.PositiveBigIntegerField(default=0)
    worker = models.CharField(max_length=100, blank=True)
    barren_deaths = models.PositiveSmallIntegerField(default=0)
    held = models.BooleanField(
        default=False,
        # The version before this one, which may still serve while this one is rolled out, does not know the column.
        db_default=False,
        help_text="It came back with a backup and waits for staff: whoever took it up might pay again for what it has asked.",
    )
    elapsed_ms = models.PositiveBigIntegerField(default=0)
    next_seq = models.PositiveIntegerField(default=1)

    idempotency_key = models.CharField(max_length=200, null=True, blank=True)
    request_hash = models.CharField(max_length=64, blank=True, editable=False)

    prompt_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    known_cost_usd = models.DecimalField(max_digits=16, decimal_places=8, default=Decimal(0))
    unknown_costs = models.PositiveIntegerField(default=0, help_text="Calls whose cost is not known.")
    open_usd = models.DecimalField(
        max_digits=16, decimal_places=8, default=Decimal(0), help_text="Upper estimate of calls under way or of unknown cost."
    )

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
            models.Index(fields=["finished_at"], name="run_finished"),
            models.Index(fields=["council", "-id"], name="run_of_council_recent"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["owner", "idempotency_key"], name="run_idempotency_key_unique"),
            models.CheckConstraint(condition=Q(status__in=[s.value for s in RunStatus]), name="run_status_known"),
            models.CheckConstraint(condition=Q(course__in=[c.value for c in Course]), name="run_course_known"),
            models.CheckConstraint(condition=Q(known_cost_usd__gte=0), name="run_cost_not_negative"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def is_cut(self) -> bool:
        """Whether the answer ends at a limit on its length."""
        return Mark.CUT.value in self.marks

    @property
    def cost_usd(self) -> Decimal | None:
        """What the run has cost in USD; ``None`` when the cost of any call is unknown."""
        return None if self.unknown_costs else self.known_cost_usd

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def is_held(self) -> bool:
        """No engine takes it up until somebody of the staff decides."""
        return self.held and self.is_live

    def spec_seats(self) -> list[dict[str, Any]]:
        """The seats as they were when the run started, for pages and APIs."""
        seats: list[dict[str, Any]] = self.config_snapshot.get("spec", {}).get("seats", [])
        return seats


class RunPrompt(models.Model):
    """A version of a prompt that a run asks with. Such a version is never deleted."""

    run = models.ForeignKey(CouncilRun, on_delete=models.CASCADE, related_name="+")
    template = models.ForeignKey(PromptTemplate, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "template"], name="run_prompt_once")]

    def __str__(self) -> str:
        return str(self.template_id)


class StepQuerySet(models.QuerySet["RunStep"]):
    def of(self, stage: Stage) -> "StepQuerySet":
        return self.filter(stage=stage.value)


StepManager = models.Manager.from_queryset(StepQuerySet)


class RunStep(models.Model):
    """One part of a run, named by ``key``: an opinion, a review, the tally or the synthesis.

    ``payload`` holds what belongs to the kind: the ballot of a review, the numbers of the tally. A ``carried`` step was kept from an
    earlier run of the same message: it has no calls here and cost nothing here. ``carried_from`` is where it was made.
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
    carried = models.BooleanField("kept from an earlier try", default=False)
    carried_from = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    started_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = StepManager()

    class Meta:
        ordering = ["pk"]
        verbose_name = "step"
        indexes = [models.Index(fields=["run"], condition=Q(status="invalid"), name="step_invalid")]
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
