"""Threads of questions and answers."""

from django.db import models
from django.db.models import Q

from councils.models.base import PublicIdModel, TimestampedModel
from councils.models.council import CouncilConfiguration
from councils.models.user import User


class ConversationType(models.TextChoices):
    COUNCIL = "council", "Council"
    INDIVIDUAL = "individual", "Individual"


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def visible_to(self, user: User) -> "ConversationQuerySet":
        """Everybody sees their own and nothing else; what the admin shows staff goes by the admin's permissions.

        Trials of drafts are not conversations to anybody: they are looked at where they were made.
        """
        return self.filter(owner=user, deleted_at=None, trial=False)


class Conversation(PublicIdModel, TimestampedModel):
    """A thread of messages that belongs to one user."""

    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="conversations")
    title = models.CharField(max_length=200, blank=True)
    type = models.CharField(max_length=20, choices=ConversationType.choices, default=ConversationType.COUNCIL)
    council = models.ForeignKey(CouncilConfiguration, on_delete=models.SET_NULL, null=True, blank=True, related_name="conversations")
    archived_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    trial = models.BooleanField(default=False, db_default=False, help_text="Staff tried a version of a council.")

    objects = ConversationQuerySet.as_manager()

    class Meta:
        ordering = ["-updated_at"]
        indexes = [models.Index(fields=["owner", "deleted_at", "-updated_at"], name="conversation_owner_recent")]
        constraints = [models.CheckConstraint(condition=Q(type__in=ConversationType.values), name="conversation_type_known")]

    def __str__(self) -> str:
        return self.title or "Untitled"


class MessageRole(models.TextChoices):
    USER = "user", "User"
    ASSISTANT = "assistant", "Assistant"


class Message(PublicIdModel):
    """One turn. An assistant's message of a council is the final answer of ``run``."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    role = models.CharField(max_length=20, choices=MessageRole.choices)
    text = models.TextField()
    run = models.ForeignKey("councils.CouncilRun", on_delete=models.CASCADE, null=True, blank=True, related_name="answers")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["conversation", "id"], name="message_in_conversation")]
        constraints = [models.CheckConstraint(condition=Q(role__in=MessageRole.values), name="message_role_known")]

    def __str__(self) -> str:
        return f"{self.role}: {self.text[:60]}"
