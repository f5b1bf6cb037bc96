"""What a conversation took."""

from collections.abc import Sequence

from django.db import models

from analytics.sums import Spent
from councils.engine.types import Stage
from councils.formatting import counted
from councils.models import Conversation


class ConversationAnalytics(Spent, models.Model):
    """All runs of a conversation that have ended.

    ``stage_durations_ms`` is the time spent in each stage, from its first step to its last, summed over the runs. ``models_used`` are
    names as ``model · provider``, and so are the keys of ``peer_scores``: the mean score (1-10) that reviewers gave. Latencies are of
    calls that brought an answer. ``consensus_score`` is the mean of the runs that have one.
    """

    conversation = models.OneToOneField(Conversation, on_delete=models.CASCADE, related_name="analytics")
    computed_at = models.DateTimeField()
    runs = models.PositiveIntegerField(default=0)
    succeeded = models.PositiveIntegerField(default=0)
    calls = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)
    cache_hits = models.PositiveIntegerField(default=0)
    stage_durations_ms = models.JSONField(default=dict)
    models_used = models.JSONField(default=list)
    average_latency_ms = models.PositiveBigIntegerField(null=True)
    longest_latency_ms = models.PositiveBigIntegerField(null=True)
    run_total_ms = models.PositiveBigIntegerField(default=0)
    prompt_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    cost_units = models.PositiveBigIntegerField(default=0)
    unknown_costs = models.PositiveIntegerField(default=0)
    peer_scores = models.JSONField(default=dict)
    consensus_score = models.FloatField(null=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name = verbose_name_plural = "figures of conversations"

    def __str__(self) -> str:
        return counted(self.runs, "run")

    @property
    def stages(self) -> Sequence[tuple[str, int]]:
        """How long each stage took, in milliseconds, in their order: a database may keep them in another."""
        return [(stage.value, self.stage_durations_ms[stage.value]) for stage in Stage if stage.value in self.stage_durations_ms]
