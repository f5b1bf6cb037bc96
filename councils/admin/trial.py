"""Trials of councils: what a draft and the published version made of the same questions, side by side."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cached_property, partial
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse

from councils.admin.base import ReadOnlyAdmin, display, register, signed_in
from councils.admin.pages import number_from, page
from councils.admin.show import NOTHING, duration
from councils.formatting import usd
from councils.models import CouncilRun, RunStep, Side, Trial, TrialRun
from councils.models.run import LIVE
from councils.services.trying import cancel_trial

MAY_TRY = "councils.add_trial"
MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Place:
    """An answer in the vote: whose it is, and its normalised Borda, 0 to 1."""

    name: str
    borda: float | None


@dataclass(frozen=True)
class Column:
    """One side of one question."""

    row: TrialRun
    is_mine: bool

    @property
    def run(self) -> CouncilRun:
        return self.row.run

    @property
    def title(self) -> str:
        return Side(self.row.side).label

    @property
    def cost(self) -> str:
        known = usd(self.run.known_cost_usd)
        return known if self.run.cost_usd is not None else f"{known} + unknown"

    @property
    def took_ms(self) -> int | None:
        if self.run.finished_at is None:
            return None
        return max(round((self.run.finished_at - self.run.created_at) / MS), 0)

    @property
    def took(self) -> str:
        return duration(self.took_ms)

    @property
    def agreement(self) -> str:
        score = self.run.consensus_score
        return "not measured" if score is None else f"{score:.2f}"

    @cached_property
    def votes(self) -> Sequence[Place]:
        """The answers as they were ranked, best first; empty without a count."""
        names = {seat["agent_id"]: seat["name"] for seat in self.run.spec_seats()}
        borda: Mapping[str, float] = self._tally.get("borda") or {}
        return [Place(names.get(one.partition(":")[0], one), borda.get(one)) for one in self._tally.get("order", ())]

    @property
    def ballots(self) -> str:
        tally = self._tally
        return f"{tally['counted']} of {tally['cast']} ballots counted" if "counted" in tally else "no vote"

    @property
    def wrote(self) -> str:
        """Who the answer is by."""
        names = {seat["agent_id"]: seat["name"] for seat in self.run.spec_seats()}
        return str(names.get(self.run.answer_by, self.run.answer_by))

    @cached_property
    def _tally(self) -> Mapping[str, Any]:
        steps: Iterable[RunStep] = self.run.steps.all()
        found = [step.payload for step in steps if step.key.partition(":")[0] == "tally" and isinstance(step.payload, dict)]
        return found[-1] if found else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What all questions of one side have come to."""

    title: str
    answered: int
    asked: int
    cost: str
    took: str
    agreement: str


def columns_of(trial: Trial, *, viewer: int) -> list[list[Column]]:
    """A list for each question, with the sides that were asked. Three queries."""
    steps = Prefetch("run__steps", queryset=RunStep.objects.filter(key__startswith="tally"))
    rows = trial.runs.select_related("run__message").defer("run__sealed_keys").prefetch_related(steps).order_by("place", "side")
    columns = [Column(row, is_mine=row.run.owner_id == viewer) for row in rows]
    return [list(some) for _place, some in groupby(columns, key=lambda column: column.row.place)]


def totals_of(questions: Sequence[Sequence[Column]]) -> list[Total]:
    sides = {side: [column for columns in questions for column in columns if column.row.side == side] for side in Side}
    return [_total(side.label, columns) for side, columns in sides.items() if columns]


def _total(title: str, columns: Sequence[Column]) -> Total:
    ended = [column.took_ms for column in columns if column.took_ms is not None]
    scores = [column.run.consensus_score for column in columns if column.run.consensus_score is not None]
    unknown = sum(column.run.unknown_costs for column in columns)
    cost = usd(sum((column.run.known_cost_usd for column in columns), Decimal(0)))
    return Total(
        title=title,
        answered=sum(bool(column.run.answer) for column in columns),
        asked=len(columns),
        cost=f"{cost} + unknown" if unknown else cost,
        took=duration(round(sum(ended) / len(ended))) if ended else NOTHING,
        agreement=f"{sum(scores) / len(scores):.2f}" if scores else "not measured",
    )


@register(Trial)
class TrialAdmin(ReadOnlyAdmin[Trial]):
    list_display = ("created_at", "council", "tried", "questions", "state", "by")
    list_filter = ("council", "created_at")
    list_select_related = ("council", "by")
    search_fields = ("draft_name", "council__name", "by__username")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Trial]:
        live = Count("runs", filter=Q(runs__run__status__in=LIVE))
        asked = Count("runs__place", distinct=True)
        return super().get_queryset(request).annotate(live_runs=live, asked_questions=asked)

    def get_urls(self) -> list[URLPattern]:
        stop = path("<int:pk>/cancel/", self.admin_site.admin_view(partial(cancel, self)), name="councils_trial_cancel")
        return [stop, *super().get_urls()]

    @display(description="tried")
    def tried(self, trial: Trial) -> str:
        return trial.draft_name or "the published version"

    @display(description="questions", ordering="asked_questions")
    def questions(self, trial: Trial) -> int:
        return int(getattr(trial, "asked_questions", 0))

    @display(description="state", label={"running": "info", "ended": "success"})
    def state(self, trial: Trial) -> str:
        return "running" if getattr(trial, "live_runs", 0) else "ended"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The comparison, instead of a form: there is nothing to change in it."""
        trial = self.get_queryset(request).select_related("council", "draft", "by").filter(pk=number_from(object_id)).first()
        if trial is None:
            raise Http404
        if not self.has_view_permission(request, trial):
            raise PermissionDenied
        questions = columns_of(trial, viewer=signed_in(request).pk)
        context = {
            "trial": trial,
            "questions": questions,
            "totals": totals_of(questions),
            "is_live": any(column.run.is_live for columns in questions for column in columns),
            "may_try": request.user.has_perm(MAY_TRY),
        }
        return page(self, request, "trial/compare.html", f"{trial.council}: {self.tried(trial)} tried", **context)


def cancel(admin: ModelAdmin[Trial], request: HttpRequest, pk: int) -> HttpResponse:
    """Stop what still runs of a trial."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not request.user.has_perm(MAY_TRY):
        raise PermissionDenied
    trial = admin.get_queryset(request).filter(pk=pk).first()
    if trial is None:
        raise Http404
    count = cancel_trial(trial, by=signed_in(request))
    messages.success(request, f"{count} cancelled." if count else "All had ended already.")
    return redirect(reverse("admin:councils_trial_change", args=[pk]))
