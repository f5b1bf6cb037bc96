"""Whether a council can be asked, and which one is asked when nobody chooses."""

from councils.models import CouncilConfiguration, User
from councils.services.curating import council_problems


def problem_of(council: CouncilConfiguration) -> str:
    """Why a council that was loaded ``with_details()`` cannot be asked now; empty when it can. Makes no query."""
    if not council.can_be_asked:
        return "It is switched off."
    return " ".join(council_problems(council))


def default_council(user: User) -> CouncilConfiguration | None:
    """The council for people who do not choose: the marked one, or the only one there is."""
    councils = CouncilConfiguration.objects.visible_to(user).active().order_by("-is_default", "pk")[:2]
    if not councils or (len(councils) > 1 and not councils[0].is_default):
        return None
    return councils[0]
