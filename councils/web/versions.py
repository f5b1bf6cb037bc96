"""The versions of an answer: every run of one question, oldest first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from councils.engine.carrying import Course
from councils.models import CouncilRun
from councils.web.members import State, Text, state_of

COURSES: Mapping[str, Text] = {
    Course.FULL.value: _("asked from the start"),
    Course.RETRY.value: _("what failed was asked again"),
    Course.SYNTHESIS.value: _("written anew"),
    Course.MEMBER.value: _("one member asked"),
}


@dataclass(frozen=True, slots=True)
class Version:
    """One run of a question. ``number`` counts from 1."""

    run: CouncilRun
    number: int
    shown: bool

    @property
    def state(self) -> State:
        return state_of(self.run)

    @property
    def course(self) -> Text:
        return COURSES[self.run.course]


@dataclass(frozen=True, slots=True)
class Versions:
    """All versions of one question, and which one is looked at."""

    all: Sequence[Version]

    @classmethod
    def of(cls, runs: Iterable[CouncilRun], shown_pk: int) -> "Versions":
        """``runs`` in the order in which they were started."""
        return cls([Version(run, number, run.pk == shown_pk) for number, run in enumerate(runs, start=1)])

    @property
    def shown(self) -> Version:
        return next(version for version in self.all if version.shown)

    @property
    def live(self) -> CouncilRun | None:
        """The version that is being made now."""
        return next((version.run for version in self.all if version.run.is_live), None)
