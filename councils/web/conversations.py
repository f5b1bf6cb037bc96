"""Conversations of a user: the list with its shelves and its search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery, TextChoices
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from councils.engine.types import RunStatus
from councils.models import Conversation, CouncilRun, Message, User
from councils.models.run import LIVE
from councils.services.conversations import deleted_conversations
from councils.web.limits import signed_in
from councils.web.members import RUN_STATES, State, Text

PER_PAGE = 25
RECENT = 5
MOST_WORDS, LONGEST_SEARCH = 8, 200
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
    """One conversation in a list, with the state of its newest run."""

    def __init__(self, conversation: Any) -> None:
        self.conversation: Conversation = conversation
        self.questions: int = conversation.questions
        self.council_name: str = conversation.newest_council or ""
        self.state: State | None = RUN_STATES.get(conversation.newest_status)
        self.is_live: bool = conversation.newest_status in LIVE


def _with_newest_run(conversations: QuerySet[Conversation]) -> QuerySet[Conversation]:
    newest = CouncilRun.objects.filter(conversation=OuterRef("pk")).order_by("-pk")
    return conversations.annotate(
        questions=Count("runs"),
        newest_status=Subquery(newest.values("status")[:1]),
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


def _holding(word: str) -> Q:
    """Conversations with this word in their title or in a message, whatever its case.

    Only the user's own conversations are looked into, through the index of their messages, so no index of texts is needed.
    """
    # SQLite folds the case of ASCII alone, so a word with other letters is looked for in each of its usual spellings.
    spellings = {word} if word.isascii() else {word, word.lower(), word.upper(), word.capitalize()}
    titles, texts = Q(), Q()
    for spelling in spellings:
        titles |= Q(title__icontains=spelling)
        texts |= Q(text__icontains=spelling)
    return titles | Q(Exists(Message.objects.filter(texts, conversation=OuterRef("pk"))))


def search(conversations: QuerySet[Conversation], text: str) -> QuerySet[Conversation]:
    """Those that hold every word of the text; without a word, all of them."""
    for word in text.split()[:MOST_WORDS]:
        conversations = conversations.filter(_holding(word))
    return conversations


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
    found = _with_newest_run(search(_on_shelf(shelf, signed_in(request)), text))
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    lines = [ConversationLine(conversation) for conversation in page.object_list]
    context = {"page": page, "lines": lines, "shelf": shelf, "shelves": list(Shelf), "text": text, "nothing": EMPTY[shelf]}
    context["is_live"] = any(line.is_live for line in lines)
    return render(request, "councils/conversation_list.html", context)
