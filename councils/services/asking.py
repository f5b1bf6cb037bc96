"""Asking a council, and stopping it."""

import hashlib
import unicodedata
from functools import partial

from django.conf import settings
from django.db import IntegrityError, transaction

from councils import tasks
from councils.engine.deliberation import validate
from councils.engine.errors import InvalidSpec
from councils.models import Conversation, CouncilConfiguration, CouncilRun, Message, MessageRole, Provider, RunOrigin, User
from councils.models.base import new_public_id
from councils.services.errors import (
    ConversationBusy,
    ConversationGone,
    CouncilUnavailable,
    EmptyQuestion,
    IdempotencyConflict,
    InvalidText,
    QuestionTooLong,
)
from councils.snapshot import Snapshot, take_snapshot
from councils.store.runs import NewRun, cancel, create_run

TITLE_LENGTH = 80


def clean_question(text: str) -> str:
    """The question without surrounding blanks. Raises ``EmptyQuestion``, ``QuestionTooLong`` or ``InvalidText``.

    Text of nothing but blanks, control and format characters (zero-width ones among them) is empty.
    """
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise InvalidText
    question = text.strip()
    if not any(unicodedata.category(char)[0] in "LNPS" for char in question):
        raise EmptyQuestion
    if len(question) > settings.QUESTION_MAX_CHARS:
        raise QuestionTooLong(f"It has {len(question):,} characters; {settings.QUESTION_MAX_CHARS:,} are allowed.")
    return question


def ask_council(
    *,
    by: User,
    council: CouncilConfiguration,
    question: str,
    conversation: Conversation | None = None,
    origin: RunOrigin = RunOrigin.WEB,
    idempotency_key: str | None = None,
) -> tuple[CouncilRun, bool]:
    """Start a run on a question, in a new conversation unless one is given. Returns it, and whether it is new.

    With an idempotency key that this user has sent before, the run that it made then is returned and nothing is started.
    Raises the errors of ``services.errors``; then nothing is stored. ``conversation`` must be visible to ``by``: the door sees to that.
    """
    text = clean_question(question)
    fingerprint = _fingerprint(council, text, conversation)
    if idempotency_key and (earlier := _earlier(by, idempotency_key, fingerprint)):
        return earlier, False
    run_id = new_public_id()
    snapshot = _snapshot(council, seed=run_id)
    try:
        with transaction.atomic():
            thread = _thread(conversation, by=by, council=council, text=text)
            message = Message.objects.create(conversation=thread, role=MessageRole.USER, text=text)
            run = create_run(
                NewRun(
                    message=message,
                    owner=by,
                    council=council,
                    origin=origin,
                    public_id=run_id,
                    config_snapshot=snapshot.to_json(),
                    sealed_keys=_sealed_keys(snapshot),
                    idempotency_key=idempotency_key or None,
                    request_hash=fingerprint,
                )
            )
            transaction.on_commit(partial(tasks.start, run.pk))
    except (IntegrityError, ConversationBusy):
        # Somebody sent the same key at the same moment and was first; the unique key in the database is the judge.
        if idempotency_key and (earlier := _earlier(by, idempotency_key, fingerprint)):
            return earlier, False
        raise
    return run, True


def cancel_run(*, run: CouncilRun, by: User) -> bool:
    """Stop a run. Calls in flight are closed and booked; none begins after the commit. ``False``: it had ended already."""
    events = cancel(run.pk, by=by, reason="Cancelled. What had been answered until then is kept.")
    if events:
        transaction.on_commit(partial(tasks.nudge, run.pk, run.public_id, events))
    return bool(events)


def _earlier(by: User, key: str, fingerprint: str) -> CouncilRun | None:
    run = CouncilRun.objects.filter(owner=by, idempotency_key=key).first()
    if run is not None and run.request_hash != fingerprint:
        raise IdempotencyConflict
    return run


def _fingerprint(council: CouncilConfiguration, text: str, conversation: Conversation | None) -> str:
    parts = (council.slug, conversation.public_id if conversation else "", text)
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


def _snapshot(council: CouncilConfiguration, *, seed: str) -> Snapshot:
    if not council.can_be_asked:
        raise CouncilUnavailable("It is switched off.")
    snapshot = take_snapshot(CouncilConfiguration.objects.with_details().get(pk=council.pk), seed=seed)
    try:
        validate(snapshot.spec)
    except InvalidSpec as error:
        raise CouncilUnavailable(error.detail) from error
    return snapshot


def _thread(conversation: Conversation | None, *, by: User, council: CouncilConfiguration, text: str) -> Conversation:
    if conversation is None:
        return Conversation.objects.create(owner=by, council=council, title=make_title(text))
    # Locked, so that two tabs cannot both start a run in the same conversation.
    locked = Conversation.objects.visible_to(by).select_for_update().filter(pk=conversation.pk).first()
    if locked is None:
        raise ConversationGone
    if CouncilRun.objects.live().filter(conversation=locked).exists():
        raise ConversationBusy
    locked.save(update_fields=["updated_at"])
    return locked


def make_title(text: str) -> str:
    """The question on one line, cut at a word."""
    line = " ".join(text.split())
    if len(line) <= TITLE_LENGTH:
        return line
    return line[:TITLE_LENGTH].rsplit(" ", 1)[0].rstrip(" ,.;:") + "…"


def _sealed_keys(snapshot: Snapshot) -> dict[str, str]:
    providers = {target.provider_id for target in snapshot.models.values()}
    stored = Provider.objects.filter(pk__in=providers).exclude(api_key_sealed="")
    return {str(pk): sealed for pk, sealed in stored.values_list("pk", "api_key_sealed")}
