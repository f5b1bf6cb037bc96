"""What readers think of answers: which councils get thumbs down and why, and which answers were picked blind."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from councils.admin.base import ReadOnlyAdmin, display, register
from councils.admin.large import CappedPaginator
from councils.admin.show import NOTHING, excerpt, link_to, text_block
from councils.models import AnswerPick, CouncilRun, Feedback, Thumb

VERDICT_LABELS = {Thumb.UP.label: "success", Thumb.DOWN.label: "danger"}
# What a list does not show and should not carry from the database.
OF_THE_RUN = ("run__config_snapshot", "run__sealed_keys", "run__answer")


class ReasonFilter(SimpleListFilter):
    """Those who said why."""

    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("given", "Given"), ("none", "Not given")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Feedback]) -> QuerySet[Feedback]:
        match self.value():
            case "given":
                return queryset.exclude(reason="")
            case "none":
                return queryset.filter(reason="")
        return queryset


@register(Feedback)
class FeedbackAdmin(ReadOnlyAdmin[Feedback]):
    paginator = CappedPaginator
    list_display = ("verdict_label", "council", "why", "by", "run_link", "updated_at")
    list_filter = ("verdict", ReasonFilter, "run__council", "updated_at")
    list_select_related = ("run", "by")
    search_fields = ("reason", "by__username", "run__council_name", "=run__public_id")
    date_hierarchy = "updated_at"
    fields = ("verdict_label", "council", "by", "run_link", "whole_reason", "created_at", "updated_at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feedback]:
        return super().get_queryset(request).defer(*OF_THE_RUN)

    @display(description="verdict", ordering="verdict", label=VERDICT_LABELS)
    def verdict_label(self, feedback: Feedback) -> str:
        return Thumb(feedback.verdict).label

    @display(description="council", ordering="run__council_name")
    def council(self, feedback: Feedback) -> str:
        return feedback.run.council_name

    @display(description="reason")
    def why(self, feedback: Feedback) -> str:
        return excerpt(feedback.reason) or NOTHING

    @display(description="reason")
    def whole_reason(self, feedback: Feedback) -> SafeString:
        return text_block(feedback.reason)

    @display(description="run")
    def run_link(self, feedback: Feedback) -> SafeString | str:
        return link_to(feedback.run)


@register(AnswerPick)
class AnswerPickAdmin(ReadOnlyAdmin[AnswerPick]):
    paginator = CappedPaginator
    list_display = ("outcome", "member", "council", "by", "run_link", "created_at")
    list_filter = ("outcome", "run__council", "created_at")
    list_select_related = ("run", "by")
    search_fields = ("=candidate", "by__username", "run__council_name", "=run__public_id")
    fields = ("outcome", "member", "council", "by", "run_link", "in_order", "created_at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[AnswerPick]:
        return super().get_queryset(request).defer("run__sealed_keys", "run__answer")

    @display(description="picked", ordering="candidate")
    def member(self, pick: AnswerPick) -> str:
        return _names(pick.run, [pick.candidate]) if pick.candidate else NOTHING

    @display(description="answers in the order shown")
    def in_order(self, pick: AnswerPick) -> str:
        return _names(pick.run, pick.shown) or NOTHING

    @display(description="council", ordering="run__council_name")
    def council(self, pick: AnswerPick) -> str:
        return pick.run.council_name

    @display(description="run")
    def run_link(self, pick: AnswerPick) -> SafeString | str:
        return link_to(pick.run)


def _names(run: CouncilRun, candidates: list[str]) -> str:
    names = {seat["agent_id"]: seat["name"] for seat in run.spec_seats()}
    return ", ".join(f"{names.get(candidate.partition(':')[0], '?')} ({candidate})" for candidate in candidates)
