"""Drafts of councils: how one could sit, tried by its own snapshot and published when it is better."""

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from councils.models import CouncilConfiguration, CouncilDraft, User
from councils.models.turns import take_turn
from councils.services.auditing import audited, record_created, taken_back
from councils.services.configuration import apply_configuration, dump_council
from councils.services.standing import council_problems
from councils.snapshot import Snapshot, take_snapshot

STANDING = ("slug", "is_active", "is_default")
"""What a draft leaves alone: who may ask a council, and under which name, is decided for the council itself."""

Document = Mapping[str, Any]


class AlreadyPublished(Exception):
    """This draft was published already. Make a new one."""


class ChangedSince(Exception):
    """The draft or its council was changed since you looked. This is how it is now: look again, then publish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a document makes of a council. ``problems`` keep it from deliberating; ``changes`` are what publishing would change."""

    changes: tuple[str, ...]
    problems: tuple[str, ...]
    snapshot: Snapshot


def document_of(council: CouncilConfiguration) -> dict[str, Any]:
    """How a stored council sits now, as a draft holds it."""
    stored = CouncilConfiguration.objects.with_details().get(pk=council.pk)
    return {name: value for name, value in dump_council(stored).items() if name not in STANDING}


def propose(council: CouncilConfiguration, document: Document) -> Proposal:
    """Have the council sit so for a moment: all of it is taken back. Raises ``ConfigurationRejected`` with every fault."""
    with taken_back():
        changes = apply_draft(council, document)
        stored = CouncilConfiguration.objects.with_details().get(pk=council.pk)
        snapshot = take_snapshot(stored, seed="")
        problems = tuple(council_problems(stored))
    return Proposal(changes=changes, problems=problems, snapshot=snapshot)


def apply_draft(council: CouncilConfiguration, document: Document) -> tuple[str, ...]:
    """Let the council sit so. Returns what has changed, one line each; raises ``ConfigurationRejected``, then nothing has."""
    own = {name: value for name, value in deepcopy(dict(document)).items() if name not in STANDING}
    return apply_configuration({"councils": [{"slug": council.slug, **own}]}).changes


@transaction.atomic
def keep_draft(*, council: CouncilConfiguration, document: Document, by: User | None, name: str = "") -> CouncilDraft:
    """A new draft. Without a name it is numbered."""
    number = council.drafts.count() + 1
    draft = CouncilDraft.objects.create(council=council, name=name or f"Draft {number}", document=dict(document), by=by)
    record_created(draft)
    return draft


def name_of_before(draft: CouncilDraft) -> str:
    """The name of the draft that keeps how the council sat before this one was published."""
    return f"Before “{draft.name[:80]}”"


@transaction.atomic
def change_draft(*, draft: CouncilDraft, document: Document) -> None:
    """Let an open draft say something else. Trials that were made keep what it said then."""
    with audited([draft]):
        draft.document = dict(document)
        draft.save(update_fields=["document", "updated_at"])


def digest_of(draft: CouncilDraft) -> str:
    """Stands for what a draft says and for how its council sits now: whoever has seen one of it has seen both."""
    both = [draft.document, document_of(draft.council)]
    return hashlib.sha256(json.dumps(both, sort_keys=True).encode()).hexdigest()


@transaction.atomic
def publish_draft(*, draft: CouncilDraft, by: User, shown: str | None = None) -> tuple[str, ...]:
    """Let the council sit as the draft says, from the next run on. Returns what has changed.

    How it sat before is kept as a draft, so that one can go back. ``shown`` is the digest of what was looked at. Raises
    ``ConfigurationRejected``, ``AlreadyPublished`` or ``ChangedSince``: then nothing has changed.
    """
    take_turn()
    locked = CouncilDraft.objects.select_for_update().select_related("council").get(pk=draft.pk)
    if not locked.is_open:
        raise AlreadyPublished(AlreadyPublished.__doc__)
    if shown is not None and shown != digest_of(locked):
        raise ChangedSince(ChangedSince.__doc__)
    before = document_of(locked.council)
    changes = apply_draft(locked.council, locked.document)
    if changes:
        keep_draft(council=locked.council, document=before, by=by, name=name_of_before(locked))
    with audited([locked]):
        locked.published_at, locked.published_by = timezone.now(), by
        locked.save(update_fields=["published_at", "published_by", "updated_at"])
    return changes
