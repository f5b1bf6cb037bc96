"""What conversations took."""

from django.utils.safestring import SafeString

from analytics.models import ConversationAnalytics
from councils.admin.base import display, register
from councils.admin.large import LargeList, people, through
from councils.admin.show import NOTHING, duration, link_to
from councils.formatting import figure, number, usd
from councils.models import Conversation


@register(ConversationAnalytics)
class ConversationAnalyticsAdmin(LargeList[ConversationAnalytics]):
    list_display = ("title", "owner", "shown_runs", "calls", "tokens", "cost", "took", "agreement")
    list_select_related = ("conversation__owner",)
    found_by = (
        through("conversation", lambda word: Conversation.objects.filter(public_id=word.lower())),
        through("conversation", lambda word: Conversation.objects.filter(title__icontains=word)),
        through("conversation__owner", people),
    )
    search_help_text = "The id of a conversation, words of its title, or the beginning of a user name."
    fields = (
        *("conversation_link", "owner", "shown_runs", "calls", "errors", "cache_hits", "tokens", "cost", "took", "stages"),
        *("average", "longest", "models", "scores", "agreement", "computed_at"),
    )
    readonly_fields = fields

    @display(description="conversation")
    def title(self, row: ConversationAnalytics) -> str:
        return str(row.conversation)

    @display(description="conversation")
    def conversation_link(self, row: ConversationAnalytics) -> SafeString | str:
        return link_to(row.conversation)

    @display(description="owner")
    def owner(self, row: ConversationAnalytics) -> str:
        return str(row.conversation.owner)

    @display(description="runs that succeeded", ordering="runs")
    def shown_runs(self, row: ConversationAnalytics) -> str:
        return f"{row.succeeded} of {row.runs}"

    @display(description="tokens")
    def tokens(self, row: ConversationAnalytics) -> str:
        return number(row.total_tokens)

    @display(description="known cost", ordering="cost_units")
    def cost(self, row: ConversationAnalytics) -> str:
        return usd(row.cost_usd)

    @display(description="time of all runs", ordering="run_total_ms")
    def took(self, row: ConversationAnalytics) -> str:
        return duration(row.run_total_ms)

    @display(description="time by stage")
    def stages(self, row: ConversationAnalytics) -> str:
        return ", ".join(f"{stage}: {duration(spent)}" for stage, spent in row.stages) or NOTHING

    @display(description="time of a call on average")
    def average(self, row: ConversationAnalytics) -> str:
        return duration(row.average_latency_ms)

    @display(description="longest call")
    def longest(self, row: ConversationAnalytics) -> str:
        return duration(row.longest_latency_ms)

    @display(description="models")
    def models(self, row: ConversationAnalytics) -> str:
        return ", ".join(row.models_used) or NOTHING

    @display(description="average scores from reviewers (1-10)")
    def scores(self, row: ConversationAnalytics) -> str:
        return ", ".join(f"{name}: {figure(score, 1)}" for name, score in row.peer_scores.items()) or NOTHING

    @display(description="agreement (0-1)", ordering="consensus_score")
    def agreement(self, row: ConversationAnalytics) -> str:
        return NOTHING if row.consensus_score is None else figure(row.consensus_score)
