"""A run on one page: what was asked, when which call was made, who thought what, how they voted, what it cost. And what can be done."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString

from councils.admin.base import ReadOnlyAdmin, signed_in
from councils.admin.pages import page
from councils.admin.show import NOTHING, json_block, list_address
from councils.admin.timeline import Timeline, timeline_of
from councils.engine.carrying import Course
from councils.formatting import counted, duration, usd
from councils.live.drafts import read_drafts
from councils.models import CouncilRun, LedgerEntry, ModelCall, PromptTemplate, RunEvent, RunStep, User
from councils.services.asking import cancel_run
from councils.services.errors import NotRepeatable, Rejected
from councils.services.holding import continue_run, give_up_run
from councils.services.repeating import Choices, choices_for, retry_run
from councils.services.sent import prompt_of
from councils.snapshot import UnreadableSnapshot
from councils.web.run_page import RunPage

MOST_EVENTS = 200
COURSES = {
    Course.FULL: "the whole council",
    Course.RETRY: "only those who had failed",
    Course.SYNTHESIS: "only the chairman",
    Course.MEMBER: "one member instead of the council",
}
MAY_CHANGE = "councils.change_councilrun"
MAY_SEE_PROMPTS = "councils.view_prompttemplate"


class RunRecord:
    """Everything on the page of a run that was loaded ``with_details()``. ``shown`` is ``None`` where another version recorded it."""

    def __init__(self, run: CouncilRun, *, by: User) -> None:
        self.run = run
        self.now = timezone.now()
        self.sees_prompts = by.has_perm(MAY_SEE_PROMPTS)
        self.may_change = by.has_perm(MAY_CHANGE)
        self.is_mine = run.owner_id == by.pk and run.conversation.deleted_at is None
        self.shown = _shown(run)

    @cached_property
    def timeline(self) -> Timeline:
        return timeline_of(self.run, now=self.now, name=self.shown.panel.label_of if self.shown else str)

    @property
    def course(self) -> str:
        return COURSES[Course(self.run.course)]

    @property
    def worker(self) -> str:
        """Who works on it, and how often somebody began to: more than once where a worker died or a wait was over."""
        times = self.run.epoch
        return f"{self.run.worker or 'none now'}, taken up {counted(times, 'time')}" if times else "none yet"

    @property
    def took(self) -> str:
        if self.run.started_at is None or self.run.is_held:
            return NOTHING
        return duration((self.run.finished_at or self.now) - self.run.started_at)

    @property
    def waited(self) -> str:
        """From the question to the first owner."""
        return NOTHING if self.run.started_at is None else duration(self.run.started_at - self.run.created_at)

    @property
    def cost(self) -> str:
        known = usd(self.run.known_cost_usd)
        return f"{known} + {self.run.unknown_costs} of unknown cost" if self.run.unknown_costs else known

    @cached_property
    def choices(self) -> Choices:
        return choices_for(self.run)

    @property
    def can_retry(self) -> bool:
        retry = self.choices.retry if self.may_change and self.shown else None
        return retry is not None and bool(retry.steps)

    @property
    def can_cancel(self) -> bool:
        return self.may_change and self.run.is_live and not self.run.is_held

    @property
    def can_decide(self) -> bool:
        """A held run goes on or is given up; it waits for nothing else."""
        return self.may_change and self.run.is_held

    @cached_property
    def events(self) -> list[RunEvent]:
        return list(self.run.events.order_by("seq")[:MOST_EVENTS])

    @property
    def has_more_events(self) -> bool:
        return self.run.next_seq - 1 > MOST_EVENTS

    @cached_property
    def versions(self) -> list[PromptTemplate]:
        return list(self.run.prompts.order_by("stage"))

    @cached_property
    def later(self) -> list[CouncilRun]:
        """Later tries of the same question that go on from this one."""
        return list(self.run.continuations.only("pk", "public_id", "course").order_by("pk"))

    @property
    def snapshot(self) -> SafeString:
        return json_block(self.run.config_snapshot)

    @property
    def addresses(self) -> Mapping[str, str]:
        """The lists that hold the rows of this run."""
        return {
            "calls": list_address(ModelCall, run__id__exact=self.run.pk),
            "events": list_address(RunEvent, run__id__exact=self.run.pk),
            "entries": list_address(LedgerEntry, call__run__id__exact=self.run.pk),
        }


def _shown(run: CouncilRun) -> RunPage | None:
    """What the reader's page makes of it. A record that it cannot read must not hide the calls that were paid."""
    try:
        shown = RunPage(run, drafts=read_drafts(run.public_id) if run.is_live else {})
        _ = shown.votes, shown.cards, shown.cost_lines
    except (UnreadableSnapshot, LookupError, TypeError, ValueError):
        return None
    return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What staff may do to a run after a question. ``sentences`` say what it touches."""

    title: str
    button: str
    sentences: Callable[[CouncilRun], list[str]]
    do: Callable[[CouncilRun, User, str], tuple[CouncilRun, str]]


def _cancel(run: CouncilRun, by: User, _nonce: str) -> tuple[CouncilRun, str]:
    return run, "The run is cancelled." if cancel_run(run=run, by=by) else "The run had ended already. Nothing was changed."


def _continue(run: CouncilRun, by: User, _nonce: str) -> tuple[CouncilRun, str]:
    return run, "The run goes on." if continue_run(run=run, by=by) else "The run is not held any more. Nothing was changed."


def _give_up(run: CouncilRun, by: User, _nonce: str) -> tuple[CouncilRun, str]:
    return run, "The run is given up." if give_up_run(run=run, by=by) else "The run is not held any more. Nothing was changed."


def _retry(run: CouncilRun, by: User, nonce: str) -> tuple[CouncilRun, str]:
    # In the name of its owner: it is their conversation, and their budgets pay.
    if not run.owner.is_active:
        raise NotRepeatable("Its owner's account is switched off, and nobody else pays for it. Switch the account on first.")
    newer, is_new = retry_run(by=run.owner, run=run, idempotency_key=f"staff-{by.pk}-{nonce}")
    return newer, "What failed is asked again. This is the new run." if is_new else "That was started already. This is the run."


def _what_cancelling_does(run: CouncilRun) -> list[str]:
    return ["Calls that are under way are closed and booked. No further call is made.", f"{run.owner} sees that the run was cancelled."]


def _what_continuing_does(_run: CouncilRun) -> list[str]:
    return [
        "The run came back with a backup. It goes on from what the backup holds.",
        "What it asked of providers after the backup was made is not known here: such calls are made again and paid again.",
    ]


def _what_giving_up_does(run: CouncilRun) -> list[str]:
    return ["The run ends as cancelled. What it has paid stays booked.", f"{run.owner} sees that, and can ask again."]


def _what_retrying_does(run: CouncilRun) -> list[str]:
    return [
        "Answers and ballots that came are kept and not paid again. What failed is asked again, by the same configuration.",
        f"It is a new version of the answer in the conversation of {run.owner}, and it counts against their budgets.",
    ]


DEEDS: Mapping[str, Deed] = {
    "cancel": Deed(title="Cancel this run?", button="Cancel the run", sentences=_what_cancelling_does, do=_cancel),
    "continue": Deed(title="Continue this run?", button="Continue the run", sentences=_what_continuing_does, do=_continue),
    "give_up": Deed(title="Give this run up?", button="Give the run up", sentences=_what_giving_up_does, do=_give_up),
    "retry": Deed(title="Retry what failed?", button="Retry what failed", sentences=_what_retrying_does, do=_retry),
}


class RunPageAdmin(ReadOnlyAdmin[CouncilRun]):
    """The page of one run in place of a form that nobody could fill in."""

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method not in {"GET", "HEAD"}:
            raise PermissionDenied
        run = self._run(request, object_id)
        record = RunRecord(run, by=signed_in(request))
        return page(self, request, "run/page.html", "Run", record=record, run=run, original=run, subtitle=None)

    def _run(self, request: HttpRequest, pk: str) -> CouncilRun:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not pk.isdecimal() or len(pk) > 18:
            raise Http404
        details = CouncilRun.objects.with_details().select_related("conversation", "message", "council", "owner", "based_on", "api_key")
        return get_object_or_404(details, pk=int(pk))

    def get_urls(self) -> list[URLPattern]:
        ask, prompt = self.admin_site.admin_view(self.deed), self.admin_site.admin_view(self.prompt)
        return [
            path("<str:pk>/do/<str:name>/", ask, name="councils_councilrun_deed"),
            path("<str:pk>/prompt/<str:key>/", prompt, name="councils_councilrun_prompt"),
            *super().get_urls(),
        ]

    def deed(self, request: HttpRequest, pk: str, name: str) -> HttpResponse:
        """Ask, then do it."""
        deed = DEEDS.get(name)
        if deed is None:
            raise Http404
        if not request.user.has_perm(MAY_CHANGE):
            raise PermissionDenied
        run = self._run(request, pk)
        if request.method == "POST":
            return self._do(request, deed, run)
        said = {"sentences": deed.sentences(run), "button": deed.button, "nonce": uuid.uuid4().hex}
        return page(self, request, "run/confirm.html", deed.title, run=run, original=run, **said)

    def _do(self, request: HttpRequest, deed: Deed, run: CouncilRun) -> HttpResponseRedirect:
        found = run
        try:
            with transaction.atomic():
                found, said = deed.do(run, signed_in(request), _plain(request.POST.get("nonce", "")))
                # A retry goes by its owner's name: who pressed the button stands in the trail only.
                self.log_change(request, run, f"{deed.button}: {said}")
        except Rejected as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, said)
        return redirect("admin:councils_councilrun_change", found.pk)

    def prompt(self, request: HttpRequest, pk: str, key: str) -> HttpResponse:
        """What the models were told in one step, for those who may read prompts."""
        if not request.user.has_perm(MAY_SEE_PROMPTS):
            raise PermissionDenied
        run = self._run(request, pk)
        step = next((row for row in run.steps.all() if row.key == key), None)
        if step is None:
            raise Http404
        return page(self, request, "run/prompt.html", "Prompt", run=run, original=run, step=step, **_prompt(run, step))


def _plain(nonce: str) -> str:
    """As the page has given it out; of anything else the letters and digits, which every database holds."""
    return "".join(char for char in nonce if char.isascii() and char.isalnum())[:32]


def _prompt(run: CouncilRun, step: RunStep) -> dict[str, Any]:
    prompt = prompt_of(run, step.key)
    calls = [(call, prompt is not None and prompt.was_sent_by(call)) for call in step.calls.all()]
    return {"prompt": prompt, "calls": calls, "proven": bool(calls) and all(same for _, same in calls)}
