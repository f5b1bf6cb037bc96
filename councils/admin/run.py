"""Runs and their parts, to look at. The only thing to do with a run is to stop it."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from councils.admin.base import ReadOnlyAdmin, ReadOnlyInline, action, display, register, signed_in
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
    usd,
    yes_or_no,
)
from councils.models import CouncilRun, ModelCall, Opinion, Review, RunEvent, RunStep, Synthesis
from councils.services.asking import cancel_run
from councils.services.attention import runs_needing_attention

SHORT_ID_CHARS = 8


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


class StepInline(ReadOnlyInline[RunStep, CouncilRun]):
    model = RunStep
    fields = ("key_link", "status_label", "model_name", "took", "error_message")
    readonly_fields = fields
    hide_title = True

    @display(description="step")
    def key_link(self, step: RunStep) -> SafeString | str:
        return link_to(step)

    @display(description="status", label=STATUS_LABELS)
    def status_label(self, step: RunStep) -> str:
        return step.status

    @display(description="time")
    def took(self, step: RunStep) -> str:
        return duration(step.latency_ms)


@register(CouncilRun)
class CouncilRunAdmin(ReadOnlyAdmin[CouncilRun]):
    list_display = ("asked", "page", "status_label", "council_name", "owner", "tokens", "cost", "took", "created_at")
    list_filter = (AttentionFilter, "status", "origin", "council", "created_at")
    list_select_related = ("owner",)
    search_fields = ("=public_id", "council_name", "owner__username", "conversation__title")
    date_hierarchy = "created_at"
    inlines = (StepInline,)
    actions = ("cancel_runs",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("public_id", "page", "status_label"),
                    "reason",
                    "mark_list",
                    ("council_name", "owner", "origin"),
                    "conversation_link",
                    "question",
                )
            },
        ),
        ("Result", {"fields": ("shown_answer", ("answer_by", "consensus"))}),
        (
            "Cost and time",
            {"fields": (("tokens", "cost", "unknown_costs"), ("took", "created_at"), ("started_at", "finished_at"), "records")},
        ),
        ("Ownership", {"fields": (("worker", "epoch", "heartbeat"), ("barren_deaths", "cancelled_by", "idempotency_key"))}),
        ("Configuration of this run", {"fields": ("shown_snapshot",), "classes": ("collapse",)}),
    )
    readonly_fields = (
        "public_id", "page", "status_label", "mark_list", "conversation_link",
         "question", "shown_answer", "consensus", "tokens", "cost", "took", "created_at",
        "records", "shown_snapshot",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[CouncilRun]:
        # Lists show none of the long columns, and nobody looks at sealed keys.
        is_mine = ExpressionWrapper(Q(owner=signed_in(request), conversation__deleted_at=None), BooleanField())
        runs = super().get_queryset(request).defer("config_snapshot", "sealed_keys", "answer")
        return runs.annotate(is_mine=is_mine, question_start=Left("message__text", EXCERPT_CHARS + 1))

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("councils.change_councilrun")

    @action(description="Cancel", permissions=["cancel"])
    def cancel_runs(self, request: HttpRequest, queryset: QuerySet[CouncilRun]) -> None:
        cancelled = sum([cancel_run(run=run, by=signed_in(request)) for run in queryset])
        had_ended = len(queryset) - cancelled
        self.message_user(request, f"{cancelled} cancelled." + (f" {had_ended} had ended already." if had_ended else ""))

    @display(description="status", ordering="status", label=STATUS_LABELS)
    def status_label(self, run: CouncilRun) -> str:
        return run.status

    @display(description="question")
    def asked(self, run: CouncilRun) -> str:
        return excerpt(str(vars(run)["question_start"])) or NOTHING

    @display(description="page")
    def page(self, run: CouncilRun) -> SafeString:
        """The run as its owner sees it. Nobody else can open that."""
        shown = f"{run.public_id[:SHORT_ID_CHARS]}…"
        if not vars(run)["is_mine"]:
            return format_html('<span title="{}">{}</span>', run.public_id, shown)
        address = reverse("run", args=[run.public_id])
        return format_html('<a href="{}" title="{}" class="text-primary-600 dark:text-primary-500">{}</a>', address, run.public_id, shown)

    @display(description="marks")
    def mark_list(self, run: CouncilRun) -> str:
        return ", ".join(run.marks) or NOTHING

    @display(description="consensus", ordering="consensus_score")
    def consensus(self, run: CouncilRun) -> str:
        return NOTHING if run.consensus_score is None else f"{run.consensus_score:.2f}"

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

    @display(description="conversation")
    def conversation_link(self, run: CouncilRun) -> SafeString | str:
        return link_to(run.conversation)

    @display(description="question")
    def question(self, run: CouncilRun) -> SafeString:
        return text_block(run.message.text)

    @display(description="answer")
    def shown_answer(self, run: CouncilRun) -> SafeString:
        return text_block(run.answer)

    @display(description="snapshot")
    def shown_snapshot(self, run: CouncilRun) -> SafeString:
        return json_block(run.config_snapshot)

    @display(description="records")
    def records(self, run: CouncilRun) -> SafeString:
        calls = link_to_list(ModelCall, "Calls", run__id__exact=run.pk)
        return format_html("{} · {}", calls, link_to_list(RunEvent, "Events", run__id__exact=run.pk))


@register(RunStep, Opinion, Review, Synthesis)
class RunStepAdmin(ReadOnlyAdmin[RunStep]):
    list_display = ("key", "run_link", "status_label", "model_name", "took", "error_kind", "started_at")
    list_filter = ("stage", "status", "substituted", "started_at")
    list_select_related = ("run",)
    search_fields = ("=run__public_id", "=key", "=model_name")
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
class RunEventAdmin(ReadOnlyAdmin[RunEvent]):
    list_display = ("seq", "type", "run_link", "created_at")
    list_filter = ("type", "created_at")
    list_select_related = ("run",)
    search_fields = ("=run__public_id",)
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
