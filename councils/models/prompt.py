"""Prompt templates. A version is never changed: a new text is a new version."""

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Max, Q

from councils.engine.prompts import check_template
from councils.engine.types import Stage
from councils.models.turns import take_turn


class PromptStage(models.TextChoices):
    OPINIONS = Stage.OPINIONS.value, "1 · Opinions"
    REVIEW = Stage.REVIEW.value, "2 · Review"
    SYNTHESIS = Stage.SYNTHESIS.value, "3 · Synthesis"


class FrozenVersion(Exception):
    """A prompt version cannot be changed. Make a new version."""


class PromptTemplateQuerySet(models.QuerySet["PromptTemplate"]):
    def latest_of(self, stage: str, name: str) -> "PromptTemplate | None":
        return self.filter(stage=stage, name=name).order_by("-version").first()

    def add_version(self, *, stage: str, name: str, text: str) -> "PromptTemplate":
        """The version with this text: the newest one if it already says so, else a new one."""
        with transaction.atomic():
            take_turn()
            newest = self.latest_of(stage, name)
            if newest and newest.text == text:
                return newest
            template = PromptTemplate(stage=stage, name=name, text=text)
            template.full_clean(exclude=["version"])
            template.save()
            return template


class PromptTemplate(models.Model):
    """The text of one stage, with {placeholders}."""

    stage = models.CharField(max_length=20, choices=PromptStage.choices)
    name = models.CharField(max_length=100)
    version = models.PositiveIntegerField(editable=False)
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PromptTemplateQuerySet.as_manager()

    class Meta:
        ordering = ["stage", "name", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["stage", "name", "version"], name="prompt_version_unique"),
            models.CheckConstraint(condition=Q(version__gte=1), name="prompt_version_from_one"),
            models.CheckConstraint(condition=Q(stage__in=PromptStage.values), name="prompt_stage_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version} ({self.stage})"

    def clean(self) -> None:
        problems = check_template(Stage(self.stage), self.text) if self.stage in PromptStage.values else []
        if problems:
            raise ValidationError({"text": problems})

    def save(self, *args: object, **kwargs: object) -> None:
        if not self._state.adding:
            raise FrozenVersion(FrozenVersion.__doc__)
        with transaction.atomic():
            take_turn()
            newest = PromptTemplate.objects.filter(stage=self.stage, name=self.name).aggregate(n=Max("version"))["n"]
            self.version = (newest or 0) + 1
            super().save(force_insert=True)
