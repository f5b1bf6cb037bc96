"""Questions that staff keep for trying councils."""

from django.db import models

from councils.models.base import TimestampedModel


class QuestionSet(TimestampedModel):
    """Questions that belong together, for instance those that the last version answered badly."""

    name = models.CharField(max_length=100, unique=True)
    description = models.TextField(blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SavedQuestion(models.Model):
    """One question of a set."""

    question_set = models.ForeignKey(QuestionSet, on_delete=models.CASCADE, related_name="questions")
    position = models.PositiveSmallIntegerField(default=0)
    text = models.TextField("question")

    class Meta:
        ordering = ["position", "pk"]
        verbose_name = "question"

    def __str__(self) -> str:
        return self.text[:60]
