"""The page of a run, its parts for the live view, and the button that stops it."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from councils.live.drafts import read_drafts
from councils.models import CouncilRun, MessageRole
from councils.services.asking import cancel_run
from councils.snapshot import UnreadableSnapshot
from councils.web.asking import QuestionForm
from councils.web.blind import BLIND_PARTS, blind_page
from councils.web.continuing import Offers
from councils.web.judging import feedback_of, picked_of
from councils.web.limits import signed_in
from councils.web.run_page import RunPage
from councils.web.unreadable import UnreadablePage
from councils.web.versions import Versions

PARTS = {
    "head": "councils/run/_head.html",
    "rail": "councils/run/_rail.html",
    "votes": "councils/run/_votes.html",
    "chair": "councils/run/_chair.html",
    "body": "councils/run/_body.html",
}
MOST_PARTS = 24


def _find(request: HttpRequest, public_id: str) -> CouncilRun:
    return get_object_or_404(CouncilRun.objects.visible_to(signed_in(request)).with_details(), public_id=public_id)


def _page(run: CouncilRun) -> RunPage:
    """Raises ``UnreadableSnapshot`` where another version of the software recorded the run."""
    return RunPage(run, drafts=read_drafts(run.public_id) if run.is_live else {})


def _place(request: HttpRequest, run: CouncilRun) -> dict[str, Any]:
    """Where a run stands in its conversation, and the next question's form."""
    questions = run.conversation.messages.filter(role=MessageRole.USER)
    counts = questions.aggregate(number=Count("pk", filter=Q(pk__lte=run.message_id)), total=Count("pk"))
    versions = Versions.of(run.message.deliberations.defer("config_snapshot", "sealed_keys", "answer").order_by("pk"), run.pk)
    busy = CouncilRun.objects.live().filter(conversation=run.conversation_id).only("public_id").first()
    is_last = counts["number"] == counts["total"]
    form = QuestionForm(signed_in(request), conversation=run.conversation) if is_last and not busy and not run.trial else None
    return {**counts, "is_last": is_last, "versions": versions, "busy": busy, "form": form}


def _context(request: HttpRequest, page: RunPage) -> dict[str, Any]:
    """What the whole page needs beside the run: where it stands, how readers have judged it, and how one can go on from it."""
    run, place = page.run, _place(request, page.run)
    judged = {"feedback": feedback_of(run, signed_in(request)), "picked": picked_of(page), "blind": blind_page(run)}
    offers = None if place["busy"] else Offers.of(run, veiled=judged["blind"] is not None)
    return {"page": page, **place, **judged, "offers": offers}


@login_required
@never_cache
@require_safe
def run(request: HttpRequest, public_id: str) -> HttpResponse:
    """The deliberation on one question, complete in every state; scripts only keep it fresh."""
    found = _find(request, public_id)
    try:
        page = _page(found)
    except UnreadableSnapshot:
        context = {**_place(request, found), "page": UnreadablePage(found), "offers": Offers.of(found, veiled=True)}
        return render(request, "councils/run_unreadable.html", context)
    return render(request, "councils/run.html", _context(request, page))


@login_required
@never_cache
@require_safe
def run_parts(request: HttpRequest, public_id: str, parts: str) -> HttpResponse:
    """Some parts of the run page as HTML, for the script that keeps it fresh: names of ``PARTS`` or step keys, with commas between."""
    try:
        page = _page(_find(request, public_id))
    except UnreadableSnapshot:
        raise Http404 from None
    names = list(dict.fromkeys(parts.split(",")))[:MOST_PARTS]
    context = _context(request, page) if "body" in names else {"page": page, "blind": blind_page(page.run)}
    return HttpResponse("".join(_part(request, page, name, context) for name in names))


def _part(request: HttpRequest, page: RunPage, name: str, context: dict[str, Any]) -> str:
    if context["blind"]:
        return render_to_string(BLIND_PARTS[name], context, request) if name in BLIND_PARTS else ""
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
