"""What a report of usage is asked for, and whose usage the words of the question choose."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from analytics.days import DAY
from councils.models import CouncilConfiguration, CouncilMember, User

USUAL_DAYS = 30
FEW_USERS = 10
"""Of more users than these fewer days are read from single calls."""
CHAIRMAN = "chairman"
EARLIEST = date(2000, 1, 1)


class By(StrEnum):
    """What a line of a report is about."""

    USER = "user"
    COUNCIL = "council"
    SEAT = "seat"
    MODEL = "model"
    KEY = "key"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a report is to tell: whole days, UTC, the last one included, and words that choose whose usage counts; empty means all.

    ``user`` is a user name or its beginning, ``council`` and ``model`` are words in their names, ``seat`` is a part of a seat's name, its
    id, or "chairman".
    """

    by: By
    first: date
    last: date
    user: str = ""
    council: str = ""
    seat: str = ""
    model: str = ""

    @classmethod
    def of(cls, by: By, first: date | None, last: date | None, **words: str) -> "Asked":
        """The last 30 days without a ``first``, until today without a ``last``."""
        today = timezone.now().date()
        end = max(min(last or today, today), EARLIEST)
        return cls(by=by, first=max(min(first or end - (USUAL_DAYS - 1) * DAY, end), EARLIEST), last=end, **words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the words of a question choose. ``owners`` are the users that the word for them names; ``None`` where all are meant."""

    owners: QuerySet[User] | None
    asked: Asked

    @classmethod
    def by(cls, asked: Asked) -> "Chosen":
        return cls(owners=_owners(asked.user) if asked.user else None, asked=asked)

    @property
    def is_many(self) -> bool:
        return self.owners is None or self.owners[: FEW_USERS + 1].count() > FEW_USERS

    def where(self, place: Callable[[str], str]) -> Q:
        """A condition on rows that have these columns at these places. The database looks up whom a word names, however many they are."""
        found, asked = Q(), self.asked
        if self.owners is not None:
            found &= Q(**{f"{place('owner_id')}__in": self.owners.values("pk")})
        if asked.council:
            named = CouncilConfiguration.objects.filter(name__icontains=asked.council).order_by().values("pk")
            gone = Q(**{f"{place('council_id')}__isnull": True, f"{place('council_name')}__icontains": asked.council})
            found &= Q(**{f"{place('council_id')}__in": named}) | gone
        if asked.seat:
            word = asked.seat.lower()
            seats = CouncilMember.objects.filter(council=OuterRef(place("council_id")), agent_id=OuterRef(place("agent_id")))
            found &= Q(**{place("agent_id"): "" if word == CHAIRMAN else word}) | Q(Exists(seats.filter(name__icontains=word)))
        return found & Q(**{f"{place('model_name')}__icontains": asked.model}) if asked.model else found


def _owners(word: str) -> QuerySet[User]:
    """Who is called so, else all whose names begin so."""
    called = User.objects.filter(username__iexact=word).order_by()
    return called if called.exists() else User.objects.filter(username__istartswith=word).order_by()
