"""One conversation: its questions with their answers, and the next question."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from councils.models import Conversation, CouncilRun, Message, MessageRole
from councils.web.asking import QuestionForm, submit
from councils.web.limits import signed_in
from councils.web.members import State
from councils.web.versions import Versions

TURNS_PER_PAGE = 20


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of a conversation with the version of its answer that is shown."""

    message: Message
    versions: Versions

    @property
    def run(self) -> CouncilRun:
        return self.versions.shown.run

    @property
    def source(self) -> str:
        """Where the page has the answer as it was written, for those who copy it."""
        return f"answer-{self.run.public_id}"

    @property
    def state(self) -> State:
        return self.versions.shown.state

    @property
    def live(self) -> CouncilRun | None:
        """Another version that is being made meanwhile."""
        live = self.versions.live
        return live if live is not None and live != self.run else None


def turns_of(messages: Sequence[Message], *, chosen: str = "") -> list[Turn]:
    """The questions with the newest version that has an answer, else the newest; with the ``chosen`` one where its id is given.

    Two queries, however many questions and versions there are.
    """
    runs = CouncilRun.objects.filter(message__in=messages).defer("config_snapshot", "sealed_keys", "answer").order_by("pk")
    versions: dict[int, list[CouncilRun]] = {message.pk: [] for message in messages}
    for run in runs.annotate(has_answer=~Q(answer="")):
        versions[run.message_id].append(run)
    turns = [Turn(message, Versions.of(of, _shown(of, chosen).pk)) for message in messages if (of := versions[message.pk])]
    answers = dict(CouncilRun.objects.filter(pk__in=[turn.run.pk for turn in turns]).values_list("pk", "answer"))
    for turn in turns:
        turn.run.answer = answers[turn.run.pk]
    return turns


def _shown(versions: Iterable[CouncilRun], chosen: str) -> CouncilRun:
    def worth(run: CouncilRun) -> tuple[bool, bool, int]:
        return run.public_id == chosen, bool(getattr(run, "has_answer", False)), run.pk

    return max(versions, key=worth)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def conversation(request: HttpRequest, public_id: str) -> HttpResponse:
    """The history, the newest turns first shown; a POST asks a follow-up."""
    user = signed_in(request)
    thread = get_object_or_404(Conversation.objects.visible_to(user).select_related("council"), public_id=public_id)
    form = QuestionForm(user, request.POST if request.method == "POST" else None, conversation=thread)
    status = 200
    if request.method == "POST":
        outcome = submit(request, form)
        if isinstance(outcome, CouncilRun):
            return redirect("run", public_id=outcome.public_id)
        status = outcome.status
    asked = thread.messages.filter(role=MessageRole.USER, pk__in=thread.runs.values("message")).order_by("pk")
    pages = Paginator(asked, TURNS_PER_PAGE)
    # Without a page asked for, the end of the conversation is where one wants to be.
    page = pages.get_page(request.GET.get("page", pages.num_pages))
    turns = turns_of(list(page.object_list), chosen=request.GET.get("show", ""))
    busy = thread.runs.live().only("public_id", "status", "held").first()
    context = {"conversation": thread, "page": page, "turns": turns, "form": form, "busy": busy}
    return render(request, "councils/conversation.html", context, status=status)
