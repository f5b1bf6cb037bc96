"""One conversation: its questions with their answers, and the next question."""

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from councils.models import Conversation, CouncilRun
from councils.web.asking import QuestionForm, submit
from councils.web.limits import signed_in
from councils.web.members import RUN_STATES, State

TURNS_PER_PAGE = 20


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of a conversation with its run."""

    run: CouncilRun

    @property
    def state(self) -> State:
        return RUN_STATES[self.run.status]


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
    runs = CouncilRun.objects.visible_to(user).filter(conversation=thread).select_related("message").order_by("pk")
    pages = Paginator(runs.defer("config_snapshot", "sealed_keys"), TURNS_PER_PAGE)
    # Without a page asked for, the end of the conversation is where one wants to be.
    page = pages.get_page(request.GET.get("page", pages.num_pages))
    turns = [Turn(run) for run in page.object_list]
    busy = next((turn.run for turn in turns if turn.run.is_live), None)
    context = {"conversation": thread, "page": page, "turns": turns, "form": form, "busy": busy}
    return render(request, "councils/conversation.html", context, status=status)
