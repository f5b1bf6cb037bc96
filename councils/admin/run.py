"""Runs and their parts, to look at. The only thing to do with a run is to stop it."""

import logging
from collections import Counter
from typing import Any

from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.db import DatabaseError, transaction
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Left
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from councils.admin.base import PersonFilter, action, display, register, signed_in
from councils.admin.csv_export import Column
from councils.admin.filters import BallotFilter, DayFilter, MarkFilter, RunCostFilter, RunModelFilter
from councils.admin.holding import HELD, HeldFilter, HoldingAdmin
from councils.admin.large import LargeList, column, people, through
from councils.admin.run_page import RunPageAdmin
from councils.admin.show import (
    EXCERPT_CHARS,
    NOTHING,
    STATUS_LABELS,
    duration,
    excerpt,
    json_block,
    link_to,
    link_to_list,
    text_block,
    yes_or_no,
)
from councils.formatting import usd
from councils.models import (
    Conversation,
    CouncilConfiguration,
    CouncilRun,
    Message,
    ModelCall,
    Opinion,
    Review,
    RunEvent,
    RunStep,
    Synthesis,
)
from councils.services.asking import cancel_run
from councils.services.attention import runs_needing_attention

logger = logging.getLogger(__name__)

SHORT_ID_CHARS = 8
MOST_CANCELLED = 1000
THE_RUN = through("run", lambda word: CouncilRun.objects.filter(public_id=word.lower()))


class AttentionFilter(SimpleListFilter):
    """Runs that somebody should look at."""

    title = "attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("needed", "Needed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CouncilRun]) -> QuerySet[CouncilRun]:
        if self.value() != "needed":
            return queryset
        return queryset.filter(pk__in=runs_needing_attention(timezone.now()).values("pk"))


@register(CouncilRun)
class CouncilRunAdmin(LargeList[CouncilRun], HoldingAdmin, RunPageAdmin):
    list_display = ("asked", "page", "status_label", "council_name", "owner", "tokens", "cost", "took", "created_at")
    list_filter = (
        AttentionFilter,
        HeldFilter,
        DayFilter,
        "status",
        RunCostFilter,
        BallotFilter,
        MarkFilter,
        "council",
        ("owner", PersonFilter),
        RunModelFilter,
        "origin",
        "course",
    )
    # The person is written in a field: that takes a button.
    list_filter_submit = True
    linked = ("trial__exact", "created_at__gte", "created_at__lt", "consensus_score__isnull")
    list_select_related = ("owner",)
    found_by = (
        column("public_id", lower=True),
        through("owner", people),
        through("council", lambda word: CouncilConfiguration.objects.filter(name__icontains=word)),
        through("conversation", lambda word: Conversation.objects.filter(title__icontains=word)),
    )
    search_help_text = "The id of a run, the beginning of a user name, or words in the name of a council or the title of a conversation."
    actions = ("cancel_runs", "continue_runs", "give_up_runs", "as_csv")
    csv_columns = (
        Column("run", "public_id"),
        Column("asked at (UTC)", "created_at"),
        Column("status", "status"),
        Column("council", "council_name"),
        Column("user", "owner__username"),
        Column("origin", "origin"),
        Column("tokens read", "prompt_tokens"),
        Column("tokens written", "completion_tokens"),
        Column("known cost (USD)", "known_cost_usd"),
        Column("calls of unknown cost", "unknown_costs"),
        Column("agreement", "consensus_score"),
        Column("started at (UTC)", "started_at"),
        Column("ended at (UTC)", "finished_at"),
        Column("reason", "reason"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[CouncilRun]:
        # Lists show none of the long columns, and nobody looks at sealed keys.
        runs = super().get_queryset(request).defer("config_snapshot", "sealed_keys", "answer")
        # Asked for each row that is shown, not joined: a join would be counted along with all rows.
        is_there = Exists(Conversation.objects.filter(pk=OuterRef("conversation"), deleted_at=None))
        is_mine = ExpressionWrapper(Q(owner=signed_in(request)) & is_there, BooleanField())
        question = Message.objects.filter(pk=OuterRef("message")).order_by().values(start=Left("text", EXCERPT_CHARS + 1))
        return runs.annotate(is_mine=is_mine, question_start=Subquery(question))

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Names of people are offered to those who may see people."""
        every = super().get_list_filter(request)
        return every if request.user.has_perm("councils.view_user") else [one for one in every if one != ("owner", PersonFilter)]

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("councils.change_councilrun")

    @action(description="Cancel", permissions=["cancel"])
    def cancel_runs(self, request: HttpRequest, queryset: QuerySet[CouncilRun]) -> None:
        """One by one: a run that cannot be cancelled now keeps no other from it."""
        chosen = list(queryset.order_by("-pk")[: MOST_CANCELLED + 1])
        done = Counter(self._cancelled(request, run) for run in chosen[:MOST_CANCELLED])
        self.message_user(request, f"{done[True]} cancelled." + (f" {done[False]} had ended already." if done[False] else ""))
        if done[None]:
            self.message_user(request, f"{done[None]} could not be cancelled now. Try them again.", messages.ERROR)
        if len(chosen) > MOST_CANCELLED:
            self.message_user(request, f"These were the newest {MOST_CANCELLED:,}. Choose the others again.", messages.WARNING)

    def _cancelled(self, request: HttpRequest, run: CouncilRun) -> bool | None:
        """Stop it, and tell who did; ``False`` where it had ended already, ``None`` where the database would not have it."""
        try:
            with transaction.atomic():
                done = cancel_run(run=run, by=signed_in(request))
                if done:
                    self.log_change(request, run, "Cancel the run: The run is cancelled.")
        except DatabaseError:
            logger.exception("a run could not be cancelled", extra={"run": run.public_id})
            return None
        return done

    @display(description="status", ordering="status", label={**STATUS_LABELS, HELD: "warning"})
    def status_label(self, run: CouncilRun) -> str:
        return HELD if run.is_held else run.status

    @display(description="question")
    def asked(self, run: CouncilRun) -> str:
        """What was asked; people got no answer of a trial."""
        said = excerpt(str(vars(run)["question_start"])) or NOTHING
        return f"Trial: {said}" if run.trial else said

    @display(description="run")
    def page(self, run: CouncilRun) -> SafeString:
        """The run as its owner sees it. Nobody else can open that."""
        shown = f"{run.public_id[:SHORT_ID_CHARS]}…"
        if not vars(run)["is_mine"]:
            return format_html('<span title="{}">{}</span>', run.public_id, shown)
        address = reverse("run", args=[run.public_id])
        return format_html('<a href="{}" title="{}" class="text-primary-600 dark:text-primary-500">{}</a>', address, run.public_id, shown)

    @display(description="tokens")
    def tokens(self, run: CouncilRun) -> str:
        return f"{run.total_tokens:,}"

    @display(description="cost", ordering="known_cost_usd")
    def cost(self, run: CouncilRun) -> str:
        return usd(run.known_cost_usd) if run.cost_usd is not None else f"{usd(run.known_cost_usd)} + unknown"

    @display(description="time", ordering="elapsed_ms")
    def took(self, run: CouncilRun) -> str:
        if run.started_at is None or run.finished_at is None:
            return NOTHING
        return duration(int((run.finished_at - run.started_at).total_seconds() * 1000))


@register(RunStep, Opinion, Review, Synthesis)
class RunStepAdmin(LargeList[RunStep]):
    list_display = ("key", "run_link", "status_label", "model_name", "took", "error_kind", "started_at")
    list_filter = ("stage", "status", "substituted", "started_at")
    list_select_related = ("run",)
    found_by = (THE_RUN,)
    search_help_text = "The id of a run."
    ordering = ("-pk",)
    fields = (
        ("key", "status_label"), "run_link", ("model_name", "fallback", "finish_reason"), ("took", "started_at", "finished_at"),
        ("error_kind", "error_message"), "shown_text", "shown_payload", "calls",
    )  # fmt: skip
    readonly_fields = ("run_link", "status_label", "fallback", "took", "started_at", "shown_text", "shown_payload", "calls")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RunStep]:
        return super().get_queryset(request).defer("text", "payload", "run__config_snapshot", "run__sealed_keys")

    @display(description="status", ordering="status", label=STATUS_LABELS)
    def status_label(self, step: RunStep) -> str:
        return step.status

    @display(description="run")
    def run_link(self, step: RunStep) -> SafeString | str:
        return link_to(step.run)

    @display(description="substituted")
    def fallback(self, step: RunStep) -> str:
        return yes_or_no(step.substituted)

    @display(description="time", ordering="latency_ms")
    def took(self, step: RunStep) -> str:
        return duration(step.latency_ms)

    @display(description="text")
    def shown_text(self, step: RunStep) -> SafeString:
        return text_block(step.text)

    @display(description="result")
    def shown_payload(self, step: RunStep) -> SafeString:
        return json_block(step.payload)

    @display(description="calls")
    def calls(self, step: RunStep) -> SafeString:
        return link_to_list(ModelCall, "Calls of this step", step__id__exact=step.pk)


@register(RunEvent)
class RunEventAdmin(LargeList[RunEvent]):
    list_display = ("seq", "type", "run_link", "created_at")
    list_filter = ("type", "created_at")
    list_select_related = ("run",)
    found_by = (THE_RUN,)
    search_help_text = "The id of a run."
    ordering = ("-pk",)
    fields = ("run_link", "seq", "type", "shown_payload", "created_at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[RunEvent]:
        return super().get_queryset(request).defer("run__config_snapshot", "run__sealed_keys")

    @display(description="run")
    def run_link(self, event: RunEvent) -> SafeString | str:
        return link_to(event.run)

    @display(description="payload")
    def shown_payload(self, event: RunEvent) -> SafeString:
        return json_block(event.payload)
