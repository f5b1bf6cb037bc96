"""Trying a council from its page: a draft or the published version, a question or a set of them, the cost before anything is sent."""

import uuid
from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from councils.admin.base import signed_in
from councils.admin.pages import number_from, page
from councils.admin.trial import MAY_TRY
from councils.models import CouncilConfiguration, CouncilDraft, QuestionSet, Side
from councils.services.budgeting import standings_for
from councils.services.configuration import ConfigurationRejected
from councils.services.errors import Rejected
from councils.services.estimating import Estimate
from councils.services.trying import MOST_QUESTIONS, Plan, estimate_trial, plan_trial, start_trial

PUBLISHED = "The council as it is published"


class DraftChoice(forms.ModelChoiceField[CouncilDraft]):
    def label_from_instance(self, obj: Any) -> str:
        return f"Draft: {obj.name}"


class TrialForm(forms.Form):
    """What to ask of whom."""

    draft = DraftChoice(label="Try", queryset=CouncilDraft.objects.none(), required=False, empty_label=PUBLISHED)
    question = forms.CharField(label="A question", required=False, widget=forms.Textarea(attrs={"rows": 4}), strip=False)
    question_set = forms.ModelChoiceField(
        label="Or a saved set of questions", queryset=QuestionSet.objects.all(), required=False, empty_label="None"
    )
    compare = forms.BooleanField(
        label="Ask the published version too, to compare", required=False, initial=True, help_text="Only where a draft is tried."
    )

    def __init__(self, council: CouncilConfiguration, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.council = council
        drafts: Any = self.fields["draft"]
        drafts.queryset = council.drafts.open()
        self.has_drafts = drafts.queryset.exists()
        for field in self.fields.values():
            if not isinstance(field, forms.BooleanField):
                field.widget.attrs["class"] = "office-field"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if bool((cleaned.get("question") or "").strip()) == bool(cleaned.get("question_set")):
            raise forms.ValidationError("Write a question, or choose a set: one of the two.")
        return cleaned

    def questions(self) -> Sequence[str]:
        chosen = self.cleaned_data["question_set"]
        return [saved.text for saved in chosen.questions.all()] if chosen else [self.cleaned_data["question"]]

    def plan(self) -> Plan:
        """Raises what ``plan_trial`` raises."""
        values = self.cleaned_data
        return plan_trial(council=self.council, draft=values["draft"], questions=self.questions(), compare=values["compare"])


def attempt(admin: ModelAdmin[CouncilConfiguration], request: HttpRequest, pk: int) -> HttpResponse:
    """First what it will cost, then, when that was seen, the runs and the page that compares them."""
    if not request.user.has_perm(MAY_TRY):
        raise PermissionDenied
    council = get_object_or_404(CouncilConfiguration, pk=pk)
    initial = {"draft": number_from(request.GET.get("draft")) or None, "compare": True}
    form = TrialForm(council, request.POST if request.method == "POST" else None, initial=initial)
    context: dict[str, Any] = {"council": council, "object": council, "form": form, "most": MOST_QUESTIONS}
    if request.method == "POST" and form.is_valid():
        try:
            plan = form.plan()
            if "start" in request.POST:
                trial = start_trial(plan, by=signed_in(request), nonce=request.POST.get("nonce", "")[:32])
                return redirect("admin:councils_trial_change", trial.pk)
            # A second click on the button sends the same again: one trial.
            context |= _costs(request, plan) | {"nonce": uuid.uuid4().hex}
        except Rejected as refused:
            form.add_error(None, refused.message)
        except ConfigurationRejected as rejected:
            form.add_error("draft", ["The draft does not fit any more.", *rejected.problems])
    return page(admin, request, "councilconfiguration/try.html", f"Try {council.name}", **context)


def _costs(request: HttpRequest, plan: Plan) -> dict[str, Any]:
    """What it will cost by side, and what is left in the budgets that pay."""
    estimates = estimate_trial(plan)
    lines = [(Side(side).label, estimate) for side, estimate in estimates.items()]
    if len(lines) > 1:
        lines.append(("Together", _sum([estimate for _label, estimate in lines])))
    return {
        "costs": lines,
        "count": len(plan.questions),
        "runs": len(plan.questions) * len(plan.sides),
        "standings": standings_for(by=signed_in(request), council=plan.council),
    }


def _sum(estimates: Sequence[Estimate]) -> Estimate:
    low, expected, high = (
        None if any(amount is None for amount in amounts) else sum(amount for amount in amounts if amount is not None)
        for amounts in zip(*((one.low, one.expected, one.high) for one in estimates), strict=True)
    )
    return Estimate(low=low, expected=expected, high=high)
