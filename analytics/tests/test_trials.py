"""Trials of drafts are paid, and counted as nothing else."""

from datetime import timedelta

import pytest
from django.utils import timezone

from analytics.conversations import refresh_conversations
from analytics.models import ConversationAnalytics
from analytics.rollup import figures_between
from councils.engine.types import RunStatus
from councils.models import Conversation
from councils.services.attention import runs_needing_attention
from councils.tests.factories import make_run

pytestmark = pytest.mark.django_db


def test_a_trial_counts_in_what_was_spent_and_not_in_how_councils_did() -> None:
    make_run(trial=True)
    now = timezone.now()

    figures = figures_between(now - timedelta(hours=1), now + timedelta(hours=1))

    assert sum(sums.cost_units for sums in figures.models.values()) > 0
    assert not figures.runs.statuses
    assert all(sums.rank_count == 0 for sums in figures.models.values())


def test_a_trial_is_no_conversation_to_analyse() -> None:
    run = make_run(trial=True)
    Conversation.objects.filter(pk=run.conversation.pk).update(trial=True)

    refresh_conversations(changed_since=None, overlap=timedelta(0))

    assert not ConversationAnalytics.objects.exists()


def test_a_trial_that_failed_needs_nobody() -> None:
    make_run(status=RunStatus.FAILED, trial=True)

    assert not runs_needing_attention(timezone.now()).exists()
