"""Figures for the pages of records in the admin, which know nothing of who adds them up."""

from collections.abc import Sequence
from datetime import timedelta

from django import template
from django.utils import timezone

from analytics import addresses
from analytics.conversations import figures_now
from analytics.insights import SPANS, ModelSpan, model_insights
from analytics.models import ConversationAnalytics
from councils.formatting import duration, figure, percent
from councils.models import Conversation, ModelInfo
from councils.showing import NOTHING

register = template.Library()


@register.simple_tag
def insights_of_conversation(conversation: Conversation) -> ConversationAnalytics:
    return figures_now(conversation)


@register.simple_tag
def insights_of_model(model: ModelInfo) -> Sequence[ModelSpan]:
    return model_insights(model, timezone.now())


@register.simple_tag
def calls_of_model(model: ModelInfo) -> str:
    """The calls of the longest of the spans."""
    since = (timezone.now() - SPANS[-1][1] - timedelta(hours=1)).date()
    return addresses.calls(**addresses.since(since), model_name__exact=model.name, provider_name__exact=model.provider.name)


@register.filter
def share(rate: float | None) -> str:
    return NOTHING if rate is None else percent(rate)


@register.filter
def decimal(value: float | None) -> str:
    return NOTHING if value is None else figure(value)


@register.filter
def took(milliseconds: int | None) -> str:
    return NOTHING if milliseconds is None else duration(milliseconds)


@register.simple_tag
def score_of(figures: ConversationAnalytics, name: str) -> str:
    """The average score that reviewers gave to the answers of a model."""
    return decimal(figures.peer_scores.get(name))
