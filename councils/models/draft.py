"""Proposed versions of councils, and the runs with which staff try them before anybody else can."""

from django.db import models
from django.db.models import Q

from councils.models.base import TimestampedModel
from councils.models.council import CouncilConfiguration
from councils.models.run import CouncilRun
from councils.models.user import User


class DraftQuerySet(models.QuerySet["CouncilDraft"]):
    def open(self) -> "DraftQuerySet":
        """Those that may still be published."""
        return self.filter(published_at=None)


class CouncilDraft(TimestampedModel):
    """How a council could sit. ``document`` is one council of a configuration document, without slug, default and switch.

    It is asked in trials only, until it is published: then the council sits so, and how it sat before is kept as another draft.
    """

    council = models.ForeignKey(CouncilConfiguration, on_delete=models.CASCADE, related_name="drafts")
    name = models.CharField(max_length=100, help_text="What this draft does differently, in a few words.")
    document = models.JSONField("configuration")
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", editable=False)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    published_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", editable=False)

    objects = DraftQuerySet.as_manager()

    class Meta:
        ordering = ["-updated_at", "-pk"]
        verbose_name = "draft"

    def __str__(self) -> str:
        return self.name

    @property
    def is_open(self) -> bool:
        return self.published_at is None


class Side(models.TextChoices):
    DRAFT = "draft", "Draft"
    PUBLISHED = "published", "Published"


class Trial(models.Model):
    """Some questions that staff put to a draft, to the council as it is published, or to both.

    ``deed`` is the one press of the button that started it: the same press again is the same trial.
    """

    council = models.ForeignKey(CouncilConfiguration, on_delete=models.CASCADE, related_name="trials")
    draft = models.ForeignKey(CouncilDraft, on_delete=models.SET_NULL, null=True, blank=True, related_name="trials")
    draft_name = models.CharField(max_length=100, blank=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    deed = models.CharField(max_length=64, null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["by", "deed"], name="trial_deed_once")]

    def __str__(self) -> str:
        return f"Trial {self.pk}"


class TrialRun(models.Model):
    """One question of a trial to one side. ``place`` counts the questions from 0."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="runs")
    run = models.OneToOneField(CouncilRun, on_delete=models.CASCADE, related_name="tried_in")
    side = models.CharField(max_length=10, choices=Side.choices)
    place = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["place", "side"]
        constraints = [
            models.UniqueConstraint(fields=["trial", "place", "side"], name="trial_side_once"),
            models.CheckConstraint(condition=Q(side__in=Side.values), name="trial_side_known"),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.place + 1}"
