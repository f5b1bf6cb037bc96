"""Whom a follow-up goes to: a council, or one member of the council that the conversation is with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.http import QueryDict
from django.utils.translation import gettext as _

from councils.models import CouncilConfiguration

FIELD = "whom"
BETWEEN = ":"


@dataclass(frozen=True, slots=True)
class Person:
    """One choice. ``value`` is the slug of a council, or with the agent id of one of its seats behind a colon."""

    value: str
    name: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Choices under one heading."""

    title: str
    people: Sequence[Person]


def whom_to_ask(councils: Iterable[CouncilConfiguration], *, council: str, member: str) -> list[Group]:
    """The chosen council with its members, then the other councils. They come with their ``members``; makes no query."""
    chosen = f"{council}{BETWEEN}{member}" if member else council
    groups: list[Group] = []
    others: list[Person] = []
    for one in councils:
        if one.slug != council:
            others.append(Person(one.slug, one.name, chosen=False))
            continue
        whole = Person(one.slug, _("The whole council"), chosen=not member)
        seats = [(f"{one.slug}{BETWEEN}{seat.agent_id}", seat.name) for seat in one.members.all() if seat.answers]
        members = [Person(value, _("Only %(member)s") % {"member": name}, chosen=value == chosen) for value, name in seats]
        groups.append(Group(one.name, [whole, *members]))
    return groups + ([Group(_("Other councils") if groups else _("Councils"), others)] if others else [])


def with_whom(data: QueryDict | None) -> QueryDict | None:
    """What was sent, with the choice parted into the fields ``council`` and ``member``."""
    if data is None or FIELD not in data:
        return data
    parted = data.copy()
    parted["council"], _between, parted["member"] = str(parted[FIELD]).partition(BETWEEN)
    return parted
