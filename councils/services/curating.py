"""Looking after councils: the one default, switching on and off, copies."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from councils.models import ChairmanFallback, CouncilConfiguration, CouncilMember
from councils.models.turns import take_turn
from councils.services.auditing import audited, record_created
from councils.services.standing import council_problems

DEFAULT_STAYS_ON = "The default council cannot be switched off. Choose another one as default first."
DEFAULT_STAYS_HERE = "The default council cannot be archived. Choose another one as default first."
DEFAULT_STAYS = "There must be a default council. Choose another one as default: this one then stops being it."


def default_council_faults(council: CouncilConfiguration, *, is_default: bool, is_active: bool) -> dict[str, str]:
    """What speaks against giving a council these two values, by field. There is a default from the first council on, and it is on."""
    faults = {}
    if is_default and not is_active:
        faults["is_active"] = DEFAULT_STAYS_ON
    if not is_default and CouncilConfiguration.objects.filter(pk=council.pk, is_default=True).exists():
        faults["is_default"] = DEFAULT_STAYS
    return faults


@transaction.atomic
def make_default(*, council: CouncilConfiguration) -> None:
    """Choose this council for people who do not choose. The earlier default stops being it in the same transaction."""
    take_turn()
    earlier = CouncilConfiguration.objects.filter(is_default=True).exclude(pk=council.pk)
    with audited([council, *earlier]):
        earlier.update(is_default=False)
        council.is_default = True
        council.save(update_fields=["is_default", "updated_at"])


@transaction.atomic
def settle_default(*, council: CouncilConfiguration, chosen: bool) -> None:
    """Let a stored council be the default where it is ``chosen``, and where it is the first one that can be asked."""
    take_turn()
    is_first = council.can_be_asked and not CouncilConfiguration.objects.filter(is_default=True).exists()
    if (chosen or is_first) and not council.is_default:
        make_default(council=council)


@dataclass(frozen=True, slots=True)
class Switched:
    """How many councils a switch has changed. ``refused``: the names of the others, and what keeps each from it."""

    changed: int
    refused: Sequence[tuple[str, str]]


@transaction.atomic
def switch_on(councils: QuerySet[CouncilConfiguration]) -> Switched:
    """Those that can deliberate; without a default the first of them becomes it."""
    take_turn()
    ready, refused = [], []
    for council in CouncilConfiguration.objects.filter(pk__in=councils.values("pk")).order_by("name", "pk").with_details():
        if problems := council_problems(council):
            refused.append((council.name, " ".join(problems)))
        else:
            council.is_active, council.archived_at = True, None
            ready.append(council)
    with audited(ready):
        CouncilConfiguration.objects.bulk_update(ready, ["is_active", "archived_at"])
    for council in ready[:1]:
        settle_default(council=council, chosen=False)
    return Switched(len(ready), refused)


def switch_off(councils: QuerySet[CouncilConfiguration]) -> Switched:
    """All but the default one."""
    kept = [(name, DEFAULT_STAYS_ON) for name in councils.filter(is_default=True).values_list("name", flat=True)]
    chosen = CouncilConfiguration.objects.filter(pk__in=councils.values("pk"), is_default=False)
    with audited(chosen):
        return Switched(chosen.update(is_active=False), kept)


def put_away(councils: QuerySet[CouncilConfiguration]) -> Switched:
    """Archive them: nobody can ask them, and lists leave them out. All but the default one; whether they are on stays as it is."""
    kept = [(name, DEFAULT_STAYS_HERE) for name in councils.filter(is_default=True).values_list("name", flat=True)]
    chosen = CouncilConfiguration.objects.filter(pk__in=councils.values("pk"), is_default=False, archived_at=None)
    with audited(chosen):
        return Switched(chosen.update(archived_at=timezone.now()), kept)


@transaction.atomic
def take_back(councils: QuerySet[CouncilConfiguration]) -> int:
    """Bring archived ones back as they were, on or off. How many that were. Where there is no default, one that is on becomes it."""
    take_turn()
    back = list(councils.exclude(archived_at=None).order_by("name", "pk"))
    with audited(back):
        CouncilConfiguration.objects.filter(pk__in=[council.pk for council in back]).update(archived_at=None)
    for council in back:
        council.archived_at = None
        settle_default(council=council, chosen=False)
    return len(back)


@transaction.atomic
def clone_council(*, council: CouncilConfiguration) -> CouncilConfiguration:
    """A copy with its seats and fallbacks, switched off until somebody has looked at it."""
    take_turn()
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
    record_created(copy)
    return copy


def _free_slug(slug: str) -> str:
    base = f"{slug[:50]}-copy"
    taken = set(CouncilConfiguration.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(name for number in range(len(taken) + 1) if (name := f"{base}-{number + 1}" if number else base) not in taken)
