"""The choice of a council on the first page: what each is for, who sits in it, how it votes, what a question costs and takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from councils.engine.types import VotingSystem
from councils.formatting import usd
from councils.models import CouncilConfiguration
from councils.services.expecting import Expectation, expectations
from councils.services.standing import Obstacle, problem_of
from councils.web.members import Text

FEW = 4
"""So many councils are shown side by side with all that one may want to know; more become a list that can be searched."""
Standing = Sequence[tuple[CouncilConfiguration, Obstacle | None]]

VOTES: Mapping[str, Text] = {
    VotingSystem.RANKED_CHOICE.value: _("Members rank each other's answers; the weakest drops out until one has a majority."),
    VotingSystem.WEIGHTED.value: _("Members score each other's answers; each vote has the weight of its member."),
    VotingSystem.CONSENSUS.value: _("Members score each other's answers and look for the one that all can accept."),
}
NO_VOTE = _("There is no vote: the chairman reads all answers.")
OBSTACLES: Mapping[Obstacle, Text] = {
    Obstacle.OFF: _("It is switched off."),
    Obstacle.TOO_FEW_MEMBERS: _("Too few of its members can be reached at present."),
    Obstacle.NO_CHAIRMAN: _("The model that writes its final answer cannot be reached at present."),
    Obstacle.FAULT: _("Something in its settings must be mended by the people who run this site."),
}


def cost_of(expectation: Expectation) -> str:
    """What a question costs, in few words; empty where it is not known."""
    if expectation.likely_usd is None:
        return ""
    likely = usd(expectation.likely_usd)
    if expectation.likely_usd == 0 and not expectation.most_usd:
        return likely
    most = usd(expectation.most_usd)
    if expectation.most_usd is None or most == likely:
        return _t("about %(cost)s") % {"cost": likely}
    return _t("about %(cost)s, at most %(most)s") % {"cost": likely, "most": most}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One council to choose. ``obstacle`` says why it cannot be asked now, ``problem`` says it to staff; both are empty when it can."""

    council: CouncilConfiguration
    expectation: Expectation
    is_chosen: bool
    obstacle: Text = ""
    problem: str = ""

    @property
    def vote(self) -> Text:
        return VOTES[self.council.voting_system] if self.council.enable_peer_review else NO_VOTE

    @property
    def cost(self) -> str:
        return cost_of(self.expectation)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceOfCouncils:
    """All councils: ``open`` can be asked, ``closed`` cannot. In a long list the chosen one comes first, so that it is in sight."""

    open: Sequence[Choice]
    closed: Sequence[Choice]

    @property
    def is_long(self) -> bool:
        return len(self.open) + len(self.closed) > FEW

    @property
    def only(self) -> Choice | None:
        """The council that is asked where there is nothing to choose."""
        return self.open[0] if len(self.open) == 1 and not self.closed else None

    @classmethod
    def among(cls, standing: Standing, *, chosen: str, question: str = "") -> Self:
        """From councils that were loaded ``with_details()``, each with what keeps it from being asked. Three queries."""
        expected = expectations([council for council, _obstacle in standing], question=question)
        all_of_them = [
            Choice(
                council=council,
                expectation=expected[council.pk],
                is_chosen=council.slug == chosen,
                obstacle=OBSTACLES[obstacle] if obstacle else "",
                problem=problem_of(council) if obstacle else "",
            )
            for council, obstacle in standing
        ]
        available = [choice for choice in all_of_them if not choice.obstacle]
        if len(all_of_them) > FEW:
            available.sort(key=lambda choice: not choice.is_chosen)
        return cls(open=available, closed=[choice for choice in all_of_them if choice.obstacle])
