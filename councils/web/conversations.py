"""Conversations of a user: the list with its shelves and its search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery, TextChoices
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from councils.engine.types import RunStatus
from councils.models import Conversation, CouncilRun, User
from councils.models.run import LIVE
from councils.services.conversations import deleted_conversations
from councils.web.finding import Part, Piece, marked, pieces, search, words_of
from councils.web.limits import signed_in
from councils.web.members import HELD, RUN_STATES, State, Text

PER_PAGE = 25
RECENT = 5
LONGEST_SEARCH = 200
FAILURES = (RunStatus.FAILED.value, RunStatus.PARTIAL.value)


class Shelf(TextChoices):
    """Which conversations a list shows."""

    ACTIVE = "active", _("Active")
    ARCHIVED = "archived", _("Archived")
    FAILURES = "failures", _("With failures")
    DELETED = "deleted", _("Deleted")


@dataclass(frozen=True, slots=True)
class Nothing:
    """What an empty shelf says: what is so, and what to do."""

    title: Text
    text: Text


EMPTY: Mapping[Shelf, Nothing] = {
    Shelf.ACTIVE: Nothing(
        _("No conversations yet"), _("Ask a council a question. It is kept here with everything that led to the answer.")
    ),
    Shelf.ARCHIVED: Nothing(
        _("Nothing is archived"), _("Archive a conversation by the dots beside it. It leaves the list, and is still found and read here.")
    ),
    Shelf.FAILURES: Nothing(
        _("Nothing has failed"), _("Conversations come here when a question could not be answered, or was answered in part.")
    ),
    Shelf.DELETED: Nothing(_("Nothing is deleted"), _("What you delete is kept here, out of sight, until you restore it.")),
}


class ConversationLine:
    """One conversation in a list, with the state of its newest run. After a search: with the words marked, and where they stand."""

    def __init__(self, conversation: Any, *, words: Sequence[str] = (), piece: Piece | None = None) -> None:
        self.conversation: Conversation = conversation
        self.title: Sequence[Part] = marked(conversation.title or _t("Untitled"), words)
        self.piece = piece
        self.questions: int = conversation.questions
        self.council_name: str = conversation.newest_council or ""
        self.state: State | None = HELD if conversation.newest_is_held else RUN_STATES.get(conversation.newest_status)
        self.is_live: bool = conversation.newest_status in LIVE


def _with_newest_run(conversations: QuerySet[Conversation]) -> QuerySet[Conversation]:
    newest = CouncilRun.objects.filter(conversation=OuterRef("pk")).order_by("-pk")
    return conversations.annotate(
        questions=Count("runs__message", distinct=True),
        newest_status=Subquery(newest.values("status")[:1]),
        newest_is_held=Exists(CouncilRun.objects.held().filter(conversation=OuterRef("pk"))),
        newest_council=Subquery(newest.values("council_name")[:1]),
    )


def _on_shelf(shelf: Shelf, user: User) -> QuerySet[Conversation]:
    """The conversations of a shelf, in the order in which one looks for them."""
    if shelf is Shelf.DELETED:
        return deleted_conversations(user).order_by("-deleted_at", "-pk")
    conversations = Conversation.objects.visible_to(user).order_by("-updated_at", "-pk")
    if shelf is Shelf.FAILURES:
        return conversations.filter(Exists(CouncilRun.objects.filter(conversation=OuterRef("pk"), status__in=FAILURES)))
    return conversations.filter(archived_at__isnull=shelf is Shelf.ACTIVE)


def recent(user: User) -> Sequence[ConversationLine]:
    """The conversations that this user touched last."""
    return [ConversationLine(conversation) for conversation in _with_newest_run(_on_shelf(Shelf.ACTIVE, user))[:RECENT]]


@login_required
@require_safe
def conversation_list(request: HttpRequest) -> HttpResponse:
    """One shelf of conversations, searched by ``q``. A shelf or page that does not exist gives the nearest one."""
    wanted = request.GET.get("show", "")
    shelf = Shelf(wanted) if wanted in Shelf.values else Shelf.ACTIVE
    # No database takes the zero character.
    text = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST_SEARCH]
    words = words_of(text)
    page = Paginator(_with_newest_run(search(_on_shelf(shelf, signed_in(request)), words)), PER_PAGE).get_page(request.GET.get("page"))
    listed = list(page.object_list)
    found = pieces(listed, words)
    lines = [ConversationLine(conversation, words=words, piece=found.get(conversation.pk)) for conversation in listed]
    context = {"page": page, "lines": lines, "shelf": shelf, "shelves": list(Shelf), "text": text, "nothing": EMPTY[shelf]}
    context["is_live"] = any(line.is_live for line in lines)
    return render(request, "councils/conversation_list.html", context)
