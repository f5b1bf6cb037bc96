"""Conversations and their messages, to look at."""

from django.utils.safestring import SafeString

from councils.admin.base import ReadOnlyAdmin, ReadOnlyInline, display, register
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
class ConversationAdmin(ReadOnlyAdmin[Conversation]):
    list_display = ("title_or_none", "owner", "type", "council", "created_at", "updated_at")
    list_filter = ("type", "council", "updated_at")
    list_select_related = ("owner", "council")
    search_fields = ("title", "=public_id", "owner__username")
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
class MessageAdmin(ReadOnlyAdmin[Message]):
    list_display = ("beginning", "role", "conversation_link", "owner", "created_at")
    list_filter = ("role", "created_at")
    list_select_related = ("conversation__owner",)
    search_fields = ("=public_id", "text")
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
