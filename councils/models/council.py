"""Councils and their seats."""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Prefetch, Q

from councils.engine.types import ChairmanMode, VotingSystem
from councils.models.base import TimestampedModel, agent_id_validator
from councils.models.prompt import PromptTemplate
from councils.models.provider import ModelInfo
from councils.models.user import User

LONGEST_RUN_S = 3_600
"""No question is worth waiting longer for; what goes on longer hangs."""


class VotingChoice(models.TextChoices):
    RANKED_CHOICE = VotingSystem.RANKED_CHOICE.value, "Ranked choice (instant run-off)"
    WEIGHTED = VotingSystem.WEIGHTED.value, "Weighted scores"
    CONSENSUS = VotingSystem.CONSENSUS.value, "Consensus"


class ChairmanModeChoice(models.TextChoices):
    HYBRID = ChairmanMode.HYBRID.value, "Hybrid: edit the winner or combine, as the votes suggest"
    SYNTHESIZE = ChairmanMode.SYNTHESIZE.value, "Synthesize: write a new answer"
    SELECT_BEST = ChairmanMode.SELECT_BEST.value, "Select best: the winner's words unchanged"


def default_voting_system() -> str:
    return str(settings.DEFAULT_VOTING_SYSTEM)


def default_peer_review() -> bool:
    return bool(settings.ENABLE_PEER_REVIEW)


def default_anonymous() -> bool:
    return bool(settings.PEER_REVIEW_ANONYMOUS)


def default_min_models() -> int:
    return int(settings.MIN_COUNCIL_MODELS)


def default_run_deadline() -> int:
    return int(settings.RUN_DEADLINE_S)


class CouncilQuerySet(models.QuerySet["CouncilConfiguration"]):
    def active(self) -> "CouncilQuerySet":
        return self.filter(is_active=True, archived_at=None)

    def visible_to(self, user: User) -> "CouncilQuerySet":
        """Staff see every council, everybody else those that can be asked."""
        return self if user.is_staff else self.active()

    def with_details(self) -> "CouncilQuerySet":
        """Everything that a run's snapshot needs, in a constant number of queries."""
        seats = CouncilMember.objects.select_related("model__provider", "fallback_model__provider")
        fallbacks = ChairmanFallback.objects.select_related("model__provider")
        return self.select_related(
            "chairman_model__provider", "stage1_prompt_template", "stage2_prompt_template", "stage3_prompt_template"
        ).prefetch_related(Prefetch("members", queryset=seats), Prefetch("chairman_fallbacks", queryset=fallbacks))


def _prompt(stage: str) -> "models.ForeignKey[PromptTemplate | None, PromptTemplate | None]":
    return models.ForeignKey(
        PromptTemplate,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        limit_choices_to={"stage": stage},
        help_text="Empty: the built-in prompt.",
    )


class CouncilConfiguration(TimestampedModel):
    """A named council. A run keeps a snapshot of it, so an edit counts from the next run on."""

    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=60, unique=True)
    description = models.TextField(blank=True, help_text="What this council is good for. People read it when they choose one.")
    use_cache = models.BooleanField(
        default=True, help_text="A question that was asked the same way lately is answered from the cache, at no cost."
    )
    is_default = models.BooleanField(default=False, help_text="Chosen for people who do not choose.")
    is_active = models.BooleanField(default=True)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    enable_peer_review = models.BooleanField(default=default_peer_review)
    peer_review_anonymous = models.BooleanField("anonymous review", default=default_anonymous)
    voting_system = models.CharField(max_length=20, choices=VotingChoice.choices, default=default_voting_system)
    extra_round = models.BooleanField(default=False, help_text="Consensus only: one more round when the first reaches none.")
    skip_review_when_agreed = models.BooleanField(default=False, help_text="Skip the review when all give the same short answer.")

    chairman_model = models.ForeignKey(ModelInfo, on_delete=models.PROTECT, related_name="chaired_councils")
    chairman_mode = models.CharField(max_length=20, choices=ChairmanModeChoice.choices, default=ChairmanModeChoice.HYBRID)
    chairman_temperature = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0), MaxValueValidator(2)])
    chairman_max_tokens = models.PositiveIntegerField(null=True, blank=True)
    review_max_tokens = models.PositiveIntegerField(null=True, blank=True)
    top_k = models.PositiveSmallIntegerField("answers for the chairman", default=3, validators=[MinValueValidator(1)])

    min_models = models.PositiveSmallIntegerField(default=default_min_models, validators=[MinValueValidator(1)])
    quorum = models.PositiveSmallIntegerField(default=2, validators=[MinValueValidator(1)], help_text="Opinions needed to go on.")
    soft_deadline_s = models.PositiveIntegerField("soft deadline (s)", default=10, help_text="Nobody is called late before this.")
    stage_deadline_s = models.PositiveIntegerField("stage deadline (s)", default=120, validators=[MinValueValidator(1)])
    run_deadline_s = models.PositiveIntegerField(
        "run deadline (s)", default=default_run_deadline, validators=[MinValueValidator(1), MaxValueValidator(LONGEST_RUN_S)]
    )

    stage1_prompt_template = _prompt("opinions")
    stage2_prompt_template = _prompt("review")
    stage3_prompt_template = _prompt("synthesis")

    objects = CouncilQuerySet.as_manager()

    class Meta:
        ordering = ["-is_default", "name"]
        verbose_name = "council"
        constraints = [
            models.UniqueConstraint(fields=["is_default"], condition=Q(is_default=True), name="council_one_default"),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(is_active=True, archived_at=None),
                name="council_default_can_be_asked",
                violation_error_message="The default council cannot be switched off. Choose another one as default first.",
            ),
            models.CheckConstraint(condition=Q(run_deadline_s__range=(1, LONGEST_RUN_S)), name="council_run_deadline_bounded"),
            models.CheckConstraint(condition=Q(quorum__gte=1), name="council_quorum_positive"),
            models.CheckConstraint(condition=Q(min_models__gte=1), name="council_min_models_positive"),
            models.CheckConstraint(condition=Q(voting_system__in=VotingChoice.values), name="council_voting_known"),
            models.CheckConstraint(condition=Q(chairman_mode__in=ChairmanModeChoice.values), name="council_chairman_mode_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def can_be_asked(self) -> bool:
        return self.is_active and self.archived_at is None


class CouncilMember(models.Model):
    """One seat: a model with a persona and a weight. The same model may hold several seats."""

    council = models.ForeignKey(CouncilConfiguration, on_delete=models.CASCADE, related_name="members")
    agent_id = models.CharField(max_length=32, validators=[agent_id_validator])
    position = models.PositiveSmallIntegerField(default=0)
    name = models.CharField(max_length=60, help_text="What people see on the card, for instance Skeptic.")
    model = models.ForeignKey(ModelInfo, on_delete=models.PROTECT, related_name="seats")
    fallback_model = models.ForeignKey(ModelInfo, on_delete=models.PROTECT, null=True, blank=True, related_name="fallback_seats")
    persona = models.TextField(blank=True, help_text="System prompt of this seat.")
    temperature = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0), MaxValueValidator(2)])
    max_tokens = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    weight = models.DecimalField(max_digits=5, decimal_places=2, default=Decimal(1), validators=[MinValueValidator(Decimal("0.01"))])
    answers = models.BooleanField(default=True, help_text="Gives an opinion.")
    reviews = models.BooleanField(default=True, help_text="Reviews the opinions of the others.")

    class Meta:
        ordering = ["position", "pk"]
        verbose_name = "seat"
        constraints = [
            models.UniqueConstraint(fields=["council", "agent_id"], name="member_agent_unique"),
            models.CheckConstraint(condition=Q(weight__gt=0), name="member_weight_positive"),
            models.CheckConstraint(condition=Q(answers=True) | Q(reviews=True), name="member_has_a_duty"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.agent_id})"


class ChairmanFallback(models.Model):
    """Who writes the result when the chairman cannot, in order of position."""

    council = models.ForeignKey(CouncilConfiguration, on_delete=models.CASCADE, related_name="chairman_fallbacks")
    model = models.ForeignKey(ModelInfo, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [models.UniqueConstraint(fields=["council", "model"], name="chairman_fallback_unique")]

    def __str__(self) -> str:
        return str(self.model)
