"""What an owner does with a conversation besides asking in it."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from councils.models import Conversation, CouncilRun, User
from councils.services.asking import cancel_run
from councils.store.budgets import lock_for


def rename_conversation(*, conversation: Conversation, title: str) -> None:
    """Give it another title. Its place in the list stays: that is where its last message put it."""
    conversation.title = title
    conversation.save(update_fields=["title"])


def archive_conversation(*, conversation: Conversation, archived: bool) -> None:
    """Put it away, or take it back. Doing either twice keeps the first date."""
    if archived != (conversation.archived_at is not None):
        conversation.archived_at = timezone.now() if archived else None
        conversation.save(update_fields=["archived_at"])


def delete_conversation(*, conversation: Conversation, by: User) -> None:
    """Take it out of everybody's sight until it is restored. The rows stay.

    A run that is under way is cancelled, since nobody could see or stop it.
    """
    with transaction.atomic():
        # Budgets before conversations: who ends a run at the same moment takes them in this order too.
        for run in CouncilRun.objects.live().filter(conversation=conversation):
            lock_for(run.pk)
        # Locked like a question that comes in at the same moment: one of the two sees the other.
        Conversation.objects.select_for_update().get(pk=conversation.pk)
        conversation.deleted_at = timezone.now()
        conversation.save(update_fields=["deleted_at"])
        for run in CouncilRun.objects.live().filter(conversation=conversation):
            cancel_run(run=run, by=by)


def deleted_conversations(by: User) -> QuerySet[Conversation]:
    """What this user has deleted and may restore."""
    return Conversation.objects.filter(owner=by).exclude(deleted_at=None)


def restore_conversation(*, conversation: Conversation) -> None:
    """Bring a deleted one back as it was, archived or not. A run that was cancelled with it stays cancelled."""
    conversation.deleted_at = None
    conversation.save(update_fields=["deleted_at"])
