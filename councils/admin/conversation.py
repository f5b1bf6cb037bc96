"""Conversations and their messages, to look at."""

from django.utils.safestring import SafeString

from councils.admin.base import ReadOnlyInline, display, register
from councils.admin.large import NEWEST_READ, LargeList, column, newest, people, through
from councils.admin.show import excerpt, link_to, link_to_list, text_block
from councils.models import Conversation, CouncilRun, Message


class MessageInline(ReadOnlyInline[Message, Conversation]):
    model = Message
    fields = ("role", "beginning", "created_at")
    readonly_fields = fields
    per_page = 20

    @display(description="text")
    def beginning(self, message: Message) -> str:
        return excerpt(message.text)


@register(Conversation)
class ConversationAdmin(LargeList[Conversation]):
    list_display = ("title_or_none", "owner", "type", "council", "created_at", "updated_at")
    list_filter = ("type", "council", "updated_at")
    list_select_related = ("owner", "council")
    found_by = (column("public_id", lower=True), column("title__icontains"), through("owner", people))
    search_help_text = "The id of a conversation, words of its title, or the beginning of a user name."
    change_form_before_template = "analytics/_conversation_insights.html"
    inlines = (MessageInline,)
    fields = ("public_id", "title", "owner", "type", "council", "runs", "created_at", "updated_at", "archived_at", "deleted_at")
    readonly_fields = ("public_id", "runs", "created_at", "updated_at")

    @display(description="title", ordering="title")
    def title_or_none(self, conversation: Conversation) -> str:
        return str(conversation)

    @display(description="runs")
    def runs(self, conversation: Conversation) -> SafeString:
        return link_to_list(CouncilRun, "Runs of this conversation", conversation__id__exact=conversation.pk)


@register(Message)
class MessageAdmin(LargeList[Message]):
    list_display = ("beginning", "role", "conversation_link", "owner", "created_at")
    list_filter = ("role", "created_at")
    list_select_related = ("conversation__owner",)
    found_by = (column("public_id", lower=True), newest(Message, "text"))
    search_help_text = f"The id of a message, or words in one of the newest {NEWEST_READ:,}."
    ordering = ("-pk",)
    fields = ("public_id", "conversation_link", "role", "shown_text", "run_link", "created_at")
    readonly_fields = fields

    @display(description="text")
    def beginning(self, message: Message) -> str:
        return excerpt(message.text)

    @display(description="text")
    def shown_text(self, message: Message) -> SafeString:
        return text_block(message.text)

    @display(description="conversation")
    def conversation_link(self, message: Message) -> SafeString | str:
        return link_to(message.conversation)

    @display(description="owner")
    def owner(self, message: Message) -> str:
        return str(message.conversation.owner)

    @display(description="run")
    def run_link(self, message: Message) -> SafeString | str:
        return link_to(message.run)
