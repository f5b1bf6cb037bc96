"""Asking a council, and stopping it."""

import unicodedata
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from councils import tasks
from councils.engine.carrying import Course
from councils.engine.deliberation import validate
from councils.engine.errors import InvalidSpec
from councils.formatting import number
from councils.models import Conversation, CouncilConfiguration, CouncilRun, Message, MessageRole, RunOrigin, User
from councils.models.base import new_public_id
from councils.services.budgeting import payment_for
from councils.services.caching import with_cache
from councils.services.errors import CouncilUnavailable, EmptyQuestion, InvalidText, QuestionTooLong, UnknownMember
from councils.services.pricing import missing_prices
from councils.services.starting import Asker, earlier_run, fingerprint, occupy, start_once, who, with_keys
from councils.services.titles import make_title
from councils.snapshot import Snapshot, take_snapshot
from councils.store.runs import NewRun, cancel, create_run


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
        lengths = {"length": number(len(question)), "most": number(settings.QUESTION_MAX_CHARS)}
        raise QuestionTooLong(_("It has %(length)s characters; %(most)s are allowed.") % lengths)
    return question


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a question is put. ``blind`` hides from its reader who wrote what, until they have picked the best answer.

    ``fresh`` asks for new answers even where the same was asked lately. ``council_chosen`` tells that the council was not the one that the
    form had ticked by itself; it makes no other question of it.
    """

    blind: bool = False
    fresh: bool = False
    council_chosen: bool = False


PLAIN = Manner()


def ask_council(
    *,
    by: Asker,
    council: CouncilConfiguration,
    question: str,
    conversation: Conversation | None = None,
    member: str = "",
    origin: RunOrigin = RunOrigin.WEB,
    idempotency_key: str | None = None,
    manner: Manner = PLAIN,
) -> tuple[CouncilRun, bool]:
    """Start a run on a question, in a new conversation unless one is given. Returns it, and whether it is new.

    With an idempotency key that this user has sent before, the run that it made then is returned and nothing is started.
    ``member`` is the agent id of a seat that answers alone, instead of the council.
    Raises the errors of ``services.errors``; then nothing is stored. ``conversation`` must be visible to ``by``: the door sees to that.
    """
    user, api_key = who(by)
    text = clean_question(question)
    # One answer has nothing to be compared with.
    blind = manner.blind and not member
    particulars = _particulars(member, blind=blind, fresh=manner.fresh)
    request_hash = fingerprint(council.slug, conversation.public_id if conversation else "", text, *particulars)
    if earlier := earlier_run(user, idempotency_key, request_hash):
        return earlier, False
    run_id = new_public_id()
    snapshot = snapshot_to_ask(council, member=member, seed=run_id)
    snapshot = with_cache(snapshot, council, question=text, fresh=manner.fresh, begins=conversation is None, blind=blind)
    payment = payment_for(snapshot, text, by=user, council=council, api_key=api_key, conversation=conversation)

    def make() -> CouncilRun:
        thread = occupy(conversation, by=user) if conversation else _new_thread(user, council, text)
        reachable, keys = with_keys(snapshot)
        return create_run(
            NewRun(
                message=Message.objects.create(conversation=thread, role=MessageRole.USER, text=text),
                owner=user,
                council=council,
                course=Course.MEMBER if member else Course.FULL,
                member=member,
                member_name=snapshot.spec.seat(member).name if member else "",
                origin=origin,
                api_key=api_key,
                public_id=run_id,
                config_snapshot=reachable.to_json(),
                sealed_keys=keys,
                blind=blind,
                council_chosen=manner.council_chosen,
                idempotency_key=idempotency_key or None,
                request_hash=request_hash,
            )
        )

    return start_once(make, by=user, key=idempotency_key, request_hash=request_hash, payment=payment)


def _particulars(member: str, *, blind: bool, fresh: bool) -> list[str]:
    """What else makes a request another one; nothing for a plain one. No member is named like a switch."""
    return [*([member] if member else []), *(["blind=true"] if blind else []), *(["cache=false"] if fresh else [])]


def cancel_run(*, run: CouncilRun, by: User) -> bool:
    """Stop a run. Calls in flight are closed and booked; none begins after the commit. ``False``: it had ended already."""
    events = cancel(run.pk, by=by)
    if events:
        transaction.on_commit(partial(tasks.nudge, run.pk, run.public_id, events))
    return bool(events)


def snapshot_to_ask(council: CouncilConfiguration, *, member: str = "", seed: str) -> Snapshot:
    """The council as it sits today, or one seat of it alone. Raises ``CouncilUnavailable`` or ``UnknownMember``."""
    return priced(seated(council, member=member, seed=seed))


def seated(council: CouncilConfiguration, *, member: str = "", seed: str = "") -> Snapshot:
    """The same, also where the price of a model is missing."""
    if not council.can_be_asked:
        raise CouncilUnavailable(_("It is switched off."))
    stored = CouncilConfiguration.objects.with_details().get(pk=council.pk)
    snapshot = take_snapshot(stored, seed=seed)
    if member:
        snapshot = _of_member(snapshot, stored, member)
    try:
        validate(snapshot.spec)
    except InvalidSpec as error:
        raise CouncilUnavailable(error.detail) from error
    return snapshot


def priced(snapshot: Snapshot) -> Snapshot:
    """The same. Raises ``CouncilUnavailable`` where the price of a model is missing."""
    if problems := missing_prices(snapshot):
        raise CouncilUnavailable(" ".join(problems))
    return snapshot


def _of_member(snapshot: Snapshot, council: CouncilConfiguration, agent_id: str) -> Snapshot:
    seat = next((seat for seat in council.members.all() if seat.agent_id == agent_id and seat.answers), None)
    if seat is None:
        raise UnknownMember
    try:
        return snapshot.of_member(agent_id)
    except KeyError:
        raise CouncilUnavailable(_("The model of %(member)s is switched off.") % {"member": seat.name}) from None


def _new_thread(by: User, council: CouncilConfiguration, text: str) -> Conversation:
    return Conversation.objects.create(owner=by, council=council, title=make_title(text))
