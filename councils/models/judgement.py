"""What readers think of answers: thumbs with a reason, and the answer that they picked before they knew who wrote it."""

from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q

from councils.models.base import TimestampedModel
from councils.models.run import CouncilRun
from councils.models.user import User

REASON_LENGTH = 2_000


class Thumb(models.TextChoices):
    UP = "up", "Thumbs up"
    DOWN = "down", "Thumbs down"


class Feedback(TimestampedModel):
    """A reader's verdict on the final answer of a run: one for each reader, which may change."""

    run = models.ForeignKey(CouncilRun, on_delete=models.CASCADE, related_name="feedback")
    by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="feedback")
    verdict = models.CharField(max_length=4, choices=Thumb.choices)
    reason = models.TextField(blank=True, validators=[MaxLengthValidator(REASON_LENGTH)])

    class Meta:
        ordering = ["-updated_at"]
        verbose_name = verbose_name_plural = "feedback"
        indexes = [models.Index(fields=["-updated_at"], name="feedback_recent")]
        constraints = [
            models.UniqueConstraint(fields=["run", "by"], name="feedback_one_per_reader"),
            models.CheckConstraint(condition=Q(verdict__in=Thumb.values), name="feedback_verdict_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_verdict_display()} by {self.by}"


class PickOutcome(models.TextChoices):
    PICKED = "picked", "Picked one"
    EQUAL = "equal", "Equally good"
    SKIPPED = "skipped", "Did not pick"


class AnswerPick(models.Model):
    """How a reader of a blind run judged the answers before the names were shown. It is made once and never changes.

    ``candidate`` is the answer picked, as ballots name it (``agent_2``, or ``agent_2:2`` for a revision); ``shown`` are all answers
    that could be picked, in the order in which the page showed them, so that a leaderboard can correct for the place.
    """

    run = models.OneToOneField(CouncilRun, on_delete=models.CASCADE, related_name="pick")
    by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="picks")
    outcome = models.CharField(max_length=8, choices=PickOutcome.choices)
    candidate = models.CharField(max_length=40, blank=True)
    shown = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "pick"
        indexes = [models.Index(fields=["-created_at"], name="pick_recent")]
        constraints = [
            models.CheckConstraint(condition=Q(outcome__in=PickOutcome.values), name="pick_outcome_known"),
            models.CheckConstraint(
                condition=(Q(outcome=PickOutcome.PICKED) & ~Q(candidate="")) | (~Q(outcome=PickOutcome.PICKED) & Q(candidate="")),
                name="pick_names_a_candidate",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_outcome_display()} {self.candidate}".strip()
