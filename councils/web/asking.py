"""The question form, on the first page and under a conversation."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from councils.engine.carrying import Course
from councils.models import Conversation, CouncilConfiguration, CouncilRun, RunOrigin, User
from councils.services.asking import Manner, ask_council
from councils.services.budgeting import standings_for
from councils.services.errors import Rejected
from councils.services.standing import obstacle_of
from councils.web.choosing import ChoiceOfCouncils
from councils.web.conversations import recent
from councils.web.limits import signed_in
from councils.web.members import Text
from councils.web.throttling import start_refused
from councils.web.whom import Group, whom_to_ask, with_whom

BAD_REQUEST, TOO_MANY_REQUESTS = 400, 429

# Questions on which honest people differ, which is what a council is for; each says all that one must know to answer it.
EXAMPLES: Sequence[Text] = (
    _(
        "I have two job offers: one pays 15 % more, the other lets me work four days a week. "
        "Which questions should I answer before I decide, and in which order?"
    ),
    _(
        "We are six people and answer every customer by e-mail. When is it time to offer help by telephone, "
        "and what would tell us that it was a mistake?"
    ),
    _("Explain to a twelve-year-old why the sky is blue and the sunset red, in 150 words and without saying anything that is false."),
)


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
    blind = forms.BooleanField(required=False)
    member = forms.CharField(required=False, max_length=32)

    def __init__(self, user: User, data: QueryDict | None = None, *, conversation: Conversation | None = None, chosen: str = "") -> None:
        council = chosen or (conversation.council.slug if conversation and conversation.council else usual_council(user))
        super().__init__(with_whom(data), initial={"nonce": uuid.uuid4().hex, "council": council, "blind": partial(asked_blind, user)})
        self.user, self.conversation = user, conversation
        self._standing = [(council, obstacle_of(council)) for council in CouncilConfiguration.objects.active().with_details()]
        self.councils = [council for council, obstacle in self._standing if obstacle is None]

    @property
    def chosen(self) -> str:
        """The slug of the council to show as chosen: the sent one, else the one that is ticked by itself.

        Empty where the sent one cannot be asked and there are others: people shall not ask another one, at another price, unawares.
        """
        value = str(self["council"].value() or "")
        known = [council.slug for council in self.councils]
        if value in known:
            return value
        return "" if self.is_bound and value and len(known) > 1 else self.ticked

    @property
    def ticked(self) -> str:
        """The slug that is ticked where nobody chooses: the conversation's, this user's usual one, else the first."""
        known = [council.slug for council in self.councils]
        return next((slug for slug in (self.initial["council"], *known) if slug in known), "")

    @property
    def whom(self) -> list[Group]:
        """Whom a follow-up can go to."""
        return whom_to_ask(self.councils, council=self.chosen, member=str(self["member"].value() or ""))

    @property
    def longest(self) -> int:
        """How many characters a question may have."""
        return int(settings.QUESTION_MAX_CHARS)

    @cached_property
    def choice(self) -> ChoiceOfCouncils:
        """What the first page shows of the councils, with what the text costs that was sent. Three queries."""
        return ChoiceOfCouncils.among(self._standing, chosen=self.chosen, question=self.text[: self.longest])

    @property
    def text(self) -> str:
        """The question as it stands in the form, without blanks around it."""
        return str(self["question"].value() or "").strip()

    def clean_question(self) -> str:
        # Browsers send line ends as CR LF; one kind everywhere makes lengths and repeats comparable.
        return str(self.cleaned_data["question"]).replace("\r\n", "\n")

    def idempotency_key(self) -> str | None:
        """One key per shown form and text, so that an edited text after "back" is a new question and a double click is not."""
        nonce = self.cleaned_data.get("nonce")
        if not nonce:
            return None
        sent = self.cleaned_data
        text = "\x00".join([sent["council"].slug, sent["member"], str(sent["blind"]), sent["question"]])
        return f"web:{nonce}:{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def usual_council(user: User) -> str:
    """The slug of the council that this user has set as theirs, else of the last one that they chose; empty where there is none any more.

    Who has asked the default council without choosing it gets the new one when another council becomes the default.
    """
    if user.default_council is not None and user.default_council.can_be_asked:
        return user.default_council.slug
    return (
        CouncilRun.objects.filter(owner=user, council_chosen=True).order_by("-created_at").values_list("council__slug", flat=True).first()
        or ""
    )


def asked_blind(user: User) -> bool:
    """Whether this user asked the last question blind; what a form or a page has them go on with counts as no question."""
    asked = CouncilRun.objects.filter(owner=user, origin=RunOrigin.WEB, course=Course.FULL.value, based_on=None)
    return bool(asked.order_by("-created_at").values_list("blind", flat=True).first())


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a question was not taken. ``status`` is the answer's HTTP status."""

    status: int


def submit(request: HttpRequest, form: QuestionForm) -> CouncilRun | Refusal:
    """Ask what the form says. The reason of a refusal stands in the form's errors; the text stays in the form."""
    if not form.is_valid():
        return Refusal(BAD_REQUEST)
    key = form.idempotency_key()
    if (refused := start_refused(request)) and not CouncilRun.objects.was_sent(form.user, key):
        form.add_error("question", refused)
        return Refusal(TOO_MANY_REQUESTS)
    try:
        run, _created = ask_council(
            by=form.user,
            council=form.cleaned_data["council"],
            question=form.cleaned_data["question"],
            conversation=form.conversation,
            member=form.cleaned_data["member"],
            origin=RunOrigin.WEB,
            idempotency_key=key,
            manner=Manner(blind=form.cleaned_data["blind"], council_chosen=form.cleaned_data["council"].slug != form.ticked),
        )
    except Rejected as error:
        form.add_error("question", error.message)
        return Refusal(error.status)
    return run


def _example(number: str) -> Text:
    """The example that an address asks for, counted from 1; empty where there is none."""
    return {str(place): example for place, example in enumerate(EXAMPLES, start=1)}.get(number, "")


@login_required
@require_POST
def estimate(request: HttpRequest) -> HttpResponse:
    """What the question that is being written costs, by the council's number and in words. Councils of unknown cost are left out."""
    form = QuestionForm(signed_in(request), request.POST)
    costs = {choice.council.pk: choice.cost for choice in form.choice.open if choice.cost}
    return JsonResponse({"costs": costs}, headers={"Cache-Control": "no-store"})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """The first page: choose a council, ask it."""
    user = signed_in(request)
    form = QuestionForm(user, request.POST if request.method == "POST" else None, chosen=request.GET.get("council", ""))
    form.initial["question"] = _example(request.GET.get("example", ""))
    status = 200
    if request.method == "POST":
        outcome = submit(request, form)
        if isinstance(outcome, CouncilRun):
            return redirect("run", public_id=outcome.public_id)
        status = outcome.status
    context: dict[str, Any] = {"form": form, "recent": recent(user), "examples": EXAMPLES}
    chosen = next((council for council in form.councils if council.slug == form.chosen), None)
    context["standing"] = next(iter(standings_for(by=user, council=chosen)), None)
    return render(request, "councils/ask.html", context, status=status)
