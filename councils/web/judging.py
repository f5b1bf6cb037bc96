"""Thumbs for the answer, and the pick of a blind run: what pages show of them, and the forms that send them."""

from dataclasses import dataclass
from enum import StrEnum

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from councils.models import CouncilRun, Feedback, PickOutcome, Thumb, User
from councils.services.errors import Rejected
from councils.services.judging import give_feedback, pick_answer, take_back_feedback
from councils.services.veiling import pick_of
from councils.web.counts import Count
from councils.web.limits import signed_in
from councils.web.members import Member
from councils.web.run_page import RunPage

FROM_SCRIPT = "X-Requested-With"
"""Scripts say with this header that they want the part of the page alone."""

NONE = "none"
CHOICES = {"equal": PickOutcome.EQUAL, "skip": PickOutcome.SKIPPED}


class Vote(StrEnum):
    """How the council's vote stands to the reader's pick."""

    NONE = "none"
    SAME = "same"
    SHARED = "shared"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """The reader's pick with the names. ``name`` is empty where none was better; ``winner`` is whose answer the vote chose."""

    name: str
    vote: Vote
    winner: str = ""


def picked_of(page: RunPage) -> Picked | None:
    """The pick beside the council's vote; ``None`` where nothing was picked."""
    pick = pick_of(page.run)
    if pick is None or pick.outcome == PickOutcome.SKIPPED:
        return None
    author = page.panel.answer(pick.candidate).member if pick.candidate else None
    count = page.vote.count if page.vote else None
    return _beside(author, count)


def _beside(author: Member | None, count: Count | None) -> Picked:
    """What was picked (``None``: all are equally good) beside what was counted."""
    name = author.name if author else ""
    if count is None:
        return Picked(name=name, vote=Vote.NONE)
    leaders = [answer.member for answer in count.leaders]
    winner = count.winner.member
    if len(leaders) > 1 and (author is None or author in leaders):
        return Picked(name=name, vote=Vote.SHARED)
    return Picked(name=name, vote=Vote.SAME if author == winner else Vote.OTHER, winner=winner.name)


def feedback_of(run: CouncilRun, user: User) -> Feedback | None:
    """What this reader said of the answer."""
    return Feedback.objects.filter(run=run, by=user).first() if run.answer else None


@login_required
@require_POST
def run_pick(request: HttpRequest, public_id: str) -> HttpResponse:
    """Pick the best answer of a blind run, or none, and show the names."""
    user = signed_in(request)
    run = get_object_or_404(CouncilRun.objects.visible_to(user).select_related("pick"), public_id=public_id)
    choice = request.POST.get("choice", "")
    try:
        pick_answer(run=run, by=user, outcome=CHOICES.get(choice, PickOutcome.PICKED), answer="" if choice in CHOICES else choice)
    except Rejected as error:
        messages.error(request, error.message)
    return redirect("run", public_id=public_id)


@login_required
@require_POST
def run_feedback(request: HttpRequest, public_id: str) -> HttpResponse:
    """Thumbs up or down with a reason, changed or taken back. A script gets the form back with what was written, also after a refusal."""
    user = signed_in(request)
    run = get_object_or_404(CouncilRun.objects.visible_to(user), public_id=public_id)
    verdict, reason = request.POST.get("verdict", ""), request.POST.get("reason", "")
    if verdict not in {*Thumb.values, NONE}:
        raise BadRequest("verdict")
    feedback, refusal = None, None
    try:
        if verdict == NONE:
            take_back_feedback(run=run, by=user)
        else:
            feedback = give_feedback(run=run, by=user, verdict=Thumb(verdict), reason=reason)
    except Rejected as error:
        feedback, refusal = Feedback(run=run, by=user, verdict=verdict, reason=reason), error
    if request.headers.get(FROM_SCRIPT):
        context = {"run": run, "feedback": feedback, "refusal": refusal and refusal.message, "is_news": True}
        return render(request, "councils/run/_thumbs.html", context, status=refusal.status if refusal else 200)
    if refusal:
        messages.error(request, refusal.message)
    return redirect(reverse("run", args=[public_id]) + "#thumbs")
