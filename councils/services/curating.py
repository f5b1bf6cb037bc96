"""Looking after councils: the one default, copies, and what keeps a council from deliberating."""

from collections.abc import Sequence

from django.db import transaction

from councils.engine.deliberation import spec_problems
from councils.models import ChairmanFallback, CouncilConfiguration, CouncilMember, ModelInfo
from councils.snapshot import snapshot_of, take_snapshot


def council_problems(council: CouncilConfiguration) -> list[str]:
    """What keeps a council that was loaded ``with_details()`` from deliberating, one sentence each."""
    return spec_problems(take_snapshot(council, seed="").spec)


def draft_problems(council: CouncilConfiguration, seats: Sequence[CouncilMember], fallbacks: Sequence[ModelInfo]) -> list[str]:
    """The same for a council, seats and fallbacks that are not stored yet."""
    return spec_problems(snapshot_of(council, seats, fallbacks, seed="").spec)


@transaction.atomic
def make_default(*, council: CouncilConfiguration) -> None:
    """Choose this council for people who do not choose. The earlier default stops being it in the same transaction."""
    CouncilConfiguration.objects.filter(is_default=True).exclude(pk=council.pk).update(is_default=False)
    council.is_default = True
    council.save(update_fields=["is_default", "updated_at"])


@transaction.atomic
def clone_council(*, council: CouncilConfiguration) -> CouncilConfiguration:
    """A copy with its seats and fallbacks, switched off until somebody has looked at it."""
    members, fallbacks = list(council.members.all()), list(council.chairman_fallbacks.all())
    copy = CouncilConfiguration.objects.get(pk=council.pk)
    copy.pk, copy.slug = None, _free_slug(council.slug)
    copy.name = f"{council.name[:90]} (copy)"
    copy.is_default = copy.is_active = False
    copy.save()
    for member in members:
        member.pk, member.council = None, copy
    for fallback in fallbacks:
        fallback.pk, fallback.council = None, copy
    CouncilMember.objects.bulk_create(members)
    ChairmanFallback.objects.bulk_create(fallbacks)
    return copy


def _free_slug(slug: str) -> str:
    base = f"{slug[:50]}-copy"
    taken = set(CouncilConfiguration.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(name for number in range(len(taken) + 1) if (name := f"{base}-{number + 1}" if number else base) not in taken)
