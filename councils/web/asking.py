"""The question form, on the first page and under a conversation."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from councils.models import Conversation, CouncilConfiguration, CouncilRun, RunOrigin, User
from councils.services.asking import ask_council
from councils.services.errors import Rejected
from councils.web.conversations import recent
from councils.web.limits import QUESTION, signed_in

BAD_REQUEST, TOO_MANY_REQUESTS = 400, 429


class QuestionForm(forms.Form):
    """A question for a council. ``nonce`` is new with every form that is shown: sent twice, it asks once."""

    council = forms.ModelChoiceField(
        queryset=CouncilConfiguration.objects.active(),
        to_field_name="slug",
        empty_label=None,
        error_messages={"required": _("Choose a council."), "invalid_choice": _("This council cannot be asked any more. Choose another.")},
    )
    # Whether it is empty or too long is for the service to say, in the same words at every door.
    question = forms.CharField(required=False, strip=False, widget=forms.Textarea)
    nonce = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(self, user: User, data: QueryDict | None = None, *, conversation: Conversation | None = None, chosen: str = "") -> None:
        council = chosen or (conversation.council.slug if conversation and conversation.council else last_asked(user))
        super().__init__(data, initial={"nonce": uuid.uuid4().hex, "council": council})
        self.user, self.conversation = user, conversation
        self.councils = list(CouncilConfiguration.objects.active().prefetch_related("members__model"))

    @property
    def chosen(self) -> str:
        """The slug of the council to show as chosen: the sent one, the conversation's, the last one asked, else the first of the list."""
        value = str(self["council"].value() or "")
        known = [council.slug for council in self.councils]
        return value if value in known else next(iter(known), "")

    def clean_question(self) -> str:
        # Browsers send line ends as CR LF; one kind everywhere makes lengths and repeats comparable.
        return str(self.cleaned_data["question"]).replace("\r\n", "\n")

    def idempotency_key(self) -> str | None:
        """One key per shown form and text, so that an edited text after "back" is a new question and a double click is not."""
        nonce = self.cleaned_data.get("nonce")
        if not nonce:
            return None
        text = f"{self.cleaned_data['council'].slug}\x00{self.cleaned_data['question']}"
        return f"web:{nonce}:{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def last_asked(user: User) -> str:
    """The slug of the council that this user asked last; empty where there is none any more."""
    return CouncilRun.objects.filter(owner=user).order_by("-created_at").values_list("council__slug", flat=True).first() or ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a question was not taken. ``status`` is the answer's HTTP status."""

    status: int


def submit(request: HttpRequest, form: QuestionForm) -> CouncilRun | Refusal:
    """Ask what the form says. The reason of a refusal stands in the form's errors; the text stays in the form."""
    if not form.is_valid():
        return Refusal(BAD_REQUEST)
    if QUESTION.is_over(request, str(form.user.pk)):
        form.add_error("question", str(QUESTION.message))
        return Refusal(TOO_MANY_REQUESTS)
    try:
        run, _created = ask_council(
            by=form.user,
            council=form.cleaned_data["council"],
            question=form.cleaned_data["question"],
            conversation=form.conversation,
            origin=RunOrigin.WEB,
            idempotency_key=form.idempotency_key(),
        )
    except Rejected as error:
        form.add_error("question", error.message)
        return Refusal(error.status)
    return run


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """The first page: choose a council, ask it."""
    user = signed_in(request)
    form = QuestionForm(user, request.POST if request.method == "POST" else None, chosen=request.GET.get("council", ""))
    status = 200
    if request.method == "POST":
        outcome = submit(request, form)
        if isinstance(outcome, CouncilRun):
            return redirect("run", public_id=outcome.public_id)
        status = outcome.status
    context: Mapping[str, Any] = {"form": form, "recent": recent(user)}
    return render(request, "councils/ask.html", context, status=status)
