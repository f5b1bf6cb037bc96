"""Figures of conversations: kept up by the hourly task, and made on reading where they are missing or behind.

No signal tells of a run's end: the councils do not know that anybody counts. A page that needs the figures a second after the end has
them by ``conversation_figures``; whoever reads many at once has those of the last hourly pass.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Min, QuerySet
from django.utils import timezone

from analytics.models import AggregationMark, ConversationAnalytics
from analytics.ranks import writers_of
from analytics.rollup import CALL_COLUMNS, CHUNK_ROWS, MILLISECOND, RUN_COLUMNS, CallFacts, CallSums, RunSums
from councils.engine.types import RunStatus, Stage, StepStatus
from councils.models import CallStatus, Conversation, CouncilRun, EntryKind, LedgerEntry, ModelCall, RunStep
from councils.models.run import LIVE

AT_ONCE = 50
"""Conversations computed in one transaction."""


@dataclass(slots=True)
class _Sums:
    """What is known of one conversation."""

    runs: RunSums = field(default_factory=RunSums)
    calls: CallSums = field(default_factory=CallSums)
    stages: Counter[str] = field(default_factory=Counter)
    names: set[str] = field(default_factory=set)
    scores: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def as_row(self, conversation_pk: int, at: datetime) -> ConversationAnalytics:
        latencies, agreed = self.calls.latencies_ms, self.runs.scores
        return ConversationAnalytics(
            conversation_id=conversation_pk,
            computed_at=at,
            runs=self.runs.statuses.total(),
            succeeded=self.runs.statuses[RunStatus.SUCCEEDED.value],
            calls=self.calls.requests,
            errors=self.calls.errors,
            cache_hits=self.calls.cache_hits,
            stage_durations_ms={stage.value: self.stages[stage.value] for stage in Stage if stage.value in self.stages},
            models_used=sorted(self.names),
            average_latency_ms=round(fmean(latencies)) if latencies else None,
            longest_latency_ms=max(latencies, default=None),
            run_total_ms=self.runs.times.total_ms,
            prompt_tokens=self.calls.prompt_tokens,
            completion_tokens=self.calls.completion_tokens,
            cost_units=self.calls.cost_units,
            unknown_costs=self.calls.unknown_costs,
            peer_scores={name: round(fmean(self.scores[name]), 4) for name in sorted(self.scores)},
            consensus_score=fmean(agreed) if agreed else None,
        )


def figures_now(conversation: Conversation) -> ConversationAnalytics:
    """The same, and nothing is stored: whoever only looks takes no lock."""
    stored = ConversationAnalytics.objects.filter(conversation=conversation).first()
    return stored if stored is not None and not _has_changed(stored) else _compute([conversation.pk])[0]


def conversation_figures(conversation: Conversation) -> ConversationAnalytics:
    """The figures of a conversation as they are now. Computed here if nobody has, or if anything ended since."""
    stored = ConversationAnalytics.objects.filter(conversation=conversation).first()
    if stored is not None and not _has_changed(stored):
        return stored
    if settings.ENABLE_ANALYTICS:
        return _refresh([conversation.pk])[0]
    return _compute([conversation.pk])[0]


def refresh_conversations(*, changed_since: datetime | None, asked_since: datetime | None = None, overlap: timedelta) -> int:
    """Compute those in which something has ended since then (``None``: ever), or asked in since then; how many that were.

    Leaves out those that were computed ``overlap`` after their last change, so that a long way is not begun anew when it breaks off.
    """
    last = _last_changes(changed_since if asked_since is None else asked_since)
    computed = ConversationAnalytics.objects.order_by()
    if changed_since is not None:
        computed = computed.filter(conversation__in=last)
    at = dict(computed.values_list("conversation_id", "computed_at").iterator(CHUNK_ROWS)) if asked_since is None else {}
    behind = sorted(pk for pk, changed in last.items() if pk not in at or at[pk] < changed + overlap)
    for first in range(0, len(behind), AT_ONCE):
        _refresh(behind[first : first + AT_ONCE])
    return len(behind)


# What changes a conversation's figures, when, and whose they are: runs and calls that ended, costs that were said later.
_CHANGES: tuple[tuple[QuerySet[Any], str, str], ...] = (
    (CouncilRun.objects.real().exclude(finished_at=None), "finished_at", "conversation_id"),
    (ModelCall.objects.filter(run__trial=False).exclude(finished_at=None), "finished_at", "run__conversation_id"),
    (LedgerEntry.objects.filter(kind=EntryKind.CORRECTED), "created_at", "call__run__conversation_id"),
)


def _last_changes(since: datetime | None) -> dict[int, datetime]:
    latest: dict[int, datetime] = {}
    for rows, when, conversation in _CHANGES:
        changed = (rows.all() if since is None else rows.filter(**{f"{when}__gte": since})).order_by()
        for pk, last in changed.values(conversation).annotate(last=Max(when)).values_list(conversation, "last"):
            latest[pk] = max(last, latest.get(pk, last))
    return latest


def _has_changed(stored: ConversationAnalytics) -> bool:
    return any(
        rows.filter(**{conversation: stored.conversation_id, f"{when}__gt": stored.computed_at}).exists()
        for rows, when, conversation in _CHANGES
    )


@transaction.atomic
def _refresh(pks: Sequence[int]) -> list[ConversationAnalytics]:
    # One after the other: what is written last was read last.
    AggregationMark.objects.locked()
    there = Conversation.objects.filter(pk__in=pks).values_list("pk", flat=True)
    rows = _compute(list(there))
    columns = [column.name for column in ConversationAnalytics._meta.fields if column.name not in {"id", "conversation"}]
    return ConversationAnalytics.objects.bulk_create(rows, update_conflicts=True, unique_fields=["conversation"], update_fields=columns)


def _compute(pks: Sequence[int]) -> list[ConversationAnalytics]:
    """These conversations, in a constant number of queries."""
    now, sums = timezone.now(), {pk: _Sums() for pk in pks}
    runs = CouncilRun.objects.filter(conversation__in=pks).exclude(status__in=LIVE).order_by()
    for pk, status, consensus, started, finished in runs.values_list("conversation_id", *RUN_COLUMNS):
        sums[pk].runs.add(status, consensus, started, finished)
    calls = ModelCall.objects.filter(run__conversation__in=pks).exclude(status=CallStatus.SENDING.value).order_by()
    for pk, *columns in calls.values_list("run__conversation_id", *CALL_COLUMNS).iterator(CHUNK_ROWS):
        call = CallFacts(*columns)
        sums[pk].calls.add(call)
        sums[pk].names.add(_name(call.provider, call.model))
    for pk, stage, spent in _stage_times(pks):
        sums[pk].stages[stage] += spent
    for pk, name, score in _scores(pks):
        sums[pk].scores[name].append(score)
    return [found.as_row(pk, now) for pk, found in sums.items()]


def _stage_times(pks: Sequence[int]) -> Iterable[tuple[int, str, int]]:
    """For each run and stage: conversation, stage, milliseconds from the first step's beginning to the last one's end."""
    steps = RunStep.objects.filter(run__conversation__in=pks, carried=False, finished_at__isnull=False).order_by()
    spans = steps.values("run_id", "run__conversation_id", "stage").annotate(first=Min("started_at"), last=Max("finished_at"))
    for pk, stage, first, last in spans.values_list("run__conversation_id", "stage", "first", "last"):
        yield pk, stage, max((last - first) // MILLISECOND, 0)


def _scores(pks: Sequence[int]) -> Iterable[tuple[int, str, float]]:
    """Every score on a counted ballot: conversation, who wrote the answer, score."""
    chosen: dict[str, Any] = {"run__conversation__in": pks}
    ballots = RunStep.objects.filter(**chosen, stage=Stage.REVIEW.value, status=StepStatus.DONE.value, carried=False)
    rows = list(ballots.exclude(agent_id="").order_by("pk").values_list("run__conversation_id", "run_id", "payload__ballot__verdicts"))
    writers = writers_of(chosen) if rows else {}
    for pk, run, verdicts in rows:
        for verdict in verdicts or ():
            writer = writers.get((run, verdict["agent_id"]))
            if writer and verdict["score"] is not None:
                yield pk, _name(*writer), float(verdict["score"])


def _name(provider: str, model: str) -> str:
    return f"{model} · {provider}"
