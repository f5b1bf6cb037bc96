"""Conversations of a user: what the list shows of each."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from councils.models import Conversation, CouncilRun, User
from councils.web.limits import signed_in
from councils.web.members import RUN_STATES, State

PER_PAGE = 25
RECENT = 5


class ConversationLine:
    """One conversation in a list, with the state of its newest run."""

    def __init__(self, conversation: Any) -> None:
        self.conversation: Conversation = conversation
        self.questions: int = conversation.questions
        self.council_name: str = conversation.newest_council or ""
        self.state: State | None = RUN_STATES.get(conversation.newest_status)


def _with_newest_run(user: User) -> "QuerySet[Conversation]":
    newest = CouncilRun.objects.filter(conversation=OuterRef("pk")).order_by("-pk")
    return (
        Conversation.objects.visible_to(user)
        .filter(archived_at=None)
        .annotate(
            questions=Count("runs"),
            newest_status=Subquery(newest.values("status")[:1]),
            newest_council=Subquery(newest.values("council_name")[:1]),
        )
        .order_by("-updated_at", "-pk")
    )


def recent(user: User) -> Sequence[ConversationLine]:
    """The conversations that this user touched last."""
    return [ConversationLine(conversation) for conversation in _with_newest_run(user)[:RECENT]]


@login_required
@require_safe
def conversation_list(request: HttpRequest) -> HttpResponse:
    """All conversations, newest first. A page number that does not exist gives the nearest one."""
    page = Paginator(_with_newest_run(signed_in(request)), PER_PAGE).get_page(request.GET.get("page"))
    lines = [ConversationLine(conversation) for conversation in page.object_list]
    return render(request, "councils/conversation_list.html", {"page": page, "lines": lines})
