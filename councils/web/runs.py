"""The page of a run, its parts for the live view, and its buttons: cancel, ask again."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from councils.live import read_drafts
from councils.models import CouncilRun
from councils.services.asking import cancel_run
from councils.services.errors import Rejected
from councils.services.repeating import ask_again, can_be_repeated
from councils.web.asking import QuestionForm
from councils.web.limits import QUESTION, signed_in
from councils.web.run_page import RunPage

PARTS = {
    "head": "councils/run/_head.html",
    "rail": "councils/run/_rail.html",
    "votes": "councils/run/_votes.html",
    "chair": "councils/run/_chair.html",
    "body": "councils/run/_body.html",
}
MOST_PARTS = 24


def _load(request: HttpRequest, public_id: str) -> RunPage:
    run = get_object_or_404(CouncilRun.objects.visible_to(signed_in(request)).with_details(), public_id=public_id)
    return RunPage(run, drafts=read_drafts(run.public_id) if run.is_live else {})


def _context(request: HttpRequest, page: RunPage) -> dict[str, Any]:
    """What the whole page needs beside the run: where it stands in its conversation, and the next question's form."""
    turns = CouncilRun.objects.filter(conversation=page.run.conversation_id)
    counts = turns.aggregate(number=Count("pk", filter=Q(pk__lte=page.run.pk)), total=Count("pk"))
    is_last = counts["number"] == counts["total"]
    form = QuestionForm(signed_in(request), conversation=page.run.conversation) if is_last and not page.is_live else None
    place = {"number": counts["number"], "total": counts["total"], "is_last": is_last}
    return {"page": page, **place, "form": form, "can_repeat": is_last and can_be_repeated(page.run)}


@login_required
@never_cache
@require_safe
def run(request: HttpRequest, public_id: str) -> HttpResponse:
    """The deliberation on one question, complete in every state; scripts only keep it fresh."""
    return render(request, "councils/run.html", _context(request, _load(request, public_id)))


@login_required
@never_cache
@require_safe
def run_parts(request: HttpRequest, public_id: str, parts: str) -> HttpResponse:
    """Some parts of the run page as HTML, for the script that keeps it fresh: names of ``PARTS`` or step keys, with commas between."""
    page = _load(request, public_id)
    names = list(dict.fromkeys(parts.split(",")))[:MOST_PARTS]
    context = _context(request, page) if "body" in names else {"page": page}
    return HttpResponse("".join(_part(request, page, name, context) for name in names))


def _part(request: HttpRequest, page: RunPage, name: str, context: dict[str, Any]) -> str:
    if name in PARTS:
        return render_to_string(PARTS[name], context, request)
    card = page.card(name)
    if card is None:
        raise Http404
    return render_to_string("councils/run/_card.html", {**context, "card": card}, request)


@login_required
@require_POST
def run_cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    """Stop a run and show what it had come to."""
    user = signed_in(request)
    cancel_run(run=get_object_or_404(CouncilRun.objects.visible_to(user), public_id=public_id), by=user)
    return redirect("run", public_id=public_id)


@login_required
@require_POST
def run_again(request: HttpRequest, public_id: str) -> HttpResponse:
    """Put the question of a run that did not succeed once more, and show the new run. A refusal is told on the old one's page."""
    user = signed_in(request)
    earlier = get_object_or_404(
        CouncilRun.objects.visible_to(user).select_related("conversation", "message", "council"), public_id=public_id
    )
    if QUESTION.is_over(request, str(user.pk)):
        messages.error(request, str(QUESTION.message))
        return redirect("run", public_id=public_id)
    try:
        newer, _created = ask_again(by=user, run=earlier)
    except Rejected as error:
        messages.error(request, error.message)
        return redirect("run", public_id=public_id)
    return redirect("run", public_id=newer.public_id)
