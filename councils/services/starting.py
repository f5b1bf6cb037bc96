"""What every start of a run shares: one run for one key, one run at a time in a conversation, driven once it is stored."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import FilteredRelation, Q

from councils import tasks
from councils.models import ApiKey, Conversation, CouncilRun, Provider, User
from councils.services.budgeting import Payment
from councils.services.errors import ConversationBusy, ConversationGone, IdempotencyConflict, Rejected
from councils.snapshot import Door, EndpointTarget, Snapshot
from councils.store.budgets import tie
from councils.telemetry.tracing import request_at_hand

Asker = User | ApiKey
"""Who asks: a person, or a program with a key of theirs."""


def who(asker: Asker) -> tuple[User, ApiKey | None]:
    """In whose name, and with which key."""
    return (asker.user, asker) if isinstance(asker, ApiKey) else (asker, None)


def fingerprint(*parts: str) -> str:
    """What makes two requests the same, as 64 characters."""
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


def earlier_run(by: User, key: str | None, request_hash: str) -> CouncilRun | None:
    """The run that this user's key has made; ``None`` without one. Raises ``IdempotencyConflict`` where it was for another request."""
    run = CouncilRun.objects.filter(owner=by, idempotency_key=key).first() if key else None
    if run is not None and run.request_hash != request_hash:
        raise IdempotencyConflict
    return run


def start_once(
    make: Callable[[], CouncilRun], *, by: User, key: str | None, request_hash: str, payment: Payment
) -> tuple[CouncilRun, bool]:
    """Store the run that ``make`` writes, hold in budgets what it will cost, and have it driven.

    Returns it, and whether it is new: sent with the same key at the same moment, the first one wins and all others get its run. What
    ``make`` raises goes through, ``BudgetExceeded`` where a budget cannot pay for it, and nothing is stored.
    """
    try:
        with transaction.atomic():
            payment.hold()
            run = make()
            tie(run, payment.set_aside)
            transaction.on_commit(partial(tasks.start, run.pk))
            request_at_hand().link_run(run.public_id)
    except (IntegrityError, Rejected):
        # The unique key in the database is the judge, also where the first one has made the conversation busy meanwhile.
        if earlier := earlier_run(by, key, request_hash):
            return earlier, False
        raise
    return run, True


def occupy(conversation: Conversation, *, by: User) -> Conversation:
    """The conversation, locked until the transaction ends, so that two tabs cannot both start a run in it.

    Raises ``ConversationGone`` or ``ConversationBusy``.
    """
    locked = Conversation.objects.visible_to(by).select_for_update().filter(pk=conversation.pk).first()
    if locked is None:
        raise ConversationGone
    if CouncilRun.objects.live().filter(conversation=locked).exists():
        raise ConversationBusy
    locked.save(update_fields=["updated_at"])
    return locked


def with_keys(snapshot: Snapshot) -> tuple[Snapshot, dict[str, str]]:
    """The same at all addresses that its providers have now, and the ciphertext of their keys, by provider.

    One statement reads both: a key that staff enter together with a new address never goes to the old one.
    """
    providers = {target.provider_id for target in snapshot.models.values()}
    active = FilteredRelation("endpoints", condition=Q(endpoints__is_active=True))
    rows = Provider.objects.filter(pk__in=providers).annotate(more=active).order_by("pk", "more__pk").values(*_OF_A_PROVIDER, *_MORE)
    found = {pk: list(some) for pk, some in groupby(rows, key=itemgetter("pk"))}
    keys = {str(pk): some[0]["api_key_sealed"] for pk, some in found.items() if some[0]["api_key_sealed"]}
    return snapshot.with_doors({pk: _door(some) for pk, some in found.items()}), keys


_ADDRESS = ("base_url", "allow_private_address", "max_parallel_calls")
_MORE = tuple(f"more__{name}" for name in _ADDRESS)
_OF_A_PROVIDER = ("pk", "kind", "api_key_env", "api_key_sealed", *_ADDRESS)


def _door(rows: Sequence[Mapping[str, Any]]) -> Door:
    """The door of one provider from its rows, one for each further address, or one without."""
    first = rows[0]
    more = [{name: row[f"more__{name}"] for name in _ADDRESS} for row in rows if row["more__base_url"]]
    addresses = [{name: first[name] for name in _ADDRESS}, *more]
    endpoints = tuple(EndpointTarget(**address) for address in addresses)
    return Door(kind=first["kind"], api_key_env=first["api_key_env"], endpoints=endpoints)
