"""Whether a council can be asked, and which one is asked when nobody chooses."""

from collections.abc import Sequence
from enum import StrEnum

from councils.engine.deliberation import spec_faults, spec_problems
from councils.engine.types import CouncilSpec
from councils.engine.validation import Fault
from councils.models import CouncilConfiguration, CouncilMember, ModelInfo, User
from councils.services.pricing import missing_price, missing_prices
from councils.snapshot import Snapshot, snapshot_of, take_snapshot


class Obstacle(StrEnum):
    """What keeps a council from being asked, as far as it concerns the people who want to ask it."""

    OFF = "off"
    TOO_FEW_MEMBERS = "too_few_members"
    NO_CHAIRMAN = "no_chairman"
    FAULT = "fault"


def council_problems(council: CouncilConfiguration) -> list[str]:
    """What keeps a council that was loaded ``with_details()`` from deliberating, one sentence each for staff; on or off is no matter."""
    return _problems(take_snapshot(council, seed=""))


def draft_faults(council: CouncilConfiguration, seats: Sequence[CouncilMember], fallbacks: Sequence[ModelInfo]) -> list[Fault]:
    """The same for a council, seats and fallbacks that are not stored yet, each with what it is about.

    A missing price is about ``model.`` with the primary key of the model.
    """
    snapshot = snapshot_of(council, seats, fallbacks, seed="")
    unpriced = [target for target in snapshot.models.values() if not target.has_prices]
    return [*spec_faults(snapshot.spec), *(Fault(f"model.{target.model_id}", missing_price(target.label)) for target in unpriced)]


def _problems(snapshot: Snapshot) -> list[str]:
    return [*spec_problems(snapshot.spec), *missing_prices(snapshot)]


def problem_of(council: CouncilConfiguration) -> str:
    """Why a council that was loaded ``with_details()`` cannot be asked now, for staff; empty when it can. Makes no query."""
    return " ".join(council_problems(council)) if council.can_be_asked else "It is switched off."


def obstacle_of(council: CouncilConfiguration) -> Obstacle | None:
    """The same for people who do not know its settings; ``None`` when it can be asked."""
    if not council.can_be_asked:
        return Obstacle.OFF
    snapshot = take_snapshot(council, seed="")
    return _obstacle(snapshot.spec) if _problems(snapshot) else None


def _obstacle(spec: CouncilSpec) -> Obstacle:
    if len(spec.answering()) < spec.min_models:
        return Obstacle.TOO_FEW_MEMBERS
    return Obstacle.FAULT if any(spec.chairman) else Obstacle.NO_CHAIRMAN


def default_council(user: User) -> CouncilConfiguration | None:
    """The council for people who do not choose: the marked one, or the only one there is."""
    councils = CouncilConfiguration.objects.visible_to(user).active().order_by("-is_default", "pk")[:2]
    if not councils or (len(councils) > 1 and not councils[0].is_default):
        return None
    return councils[0]
