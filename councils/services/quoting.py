"""What a question would cost, and whether budgets can pay for it, without asking it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from councils.models import Conversation, CouncilConfiguration
from councils.models.budget import MOST_USD
from councils.services.asking import clean_question, seated
from councils.services.budgeting import Standing, matter_of, needed_by, standings_for
from councils.services.estimating import Estimate, Matter, estimate_run
from councils.services.pricing import missing_prices
from councils.services.starting import Asker, who
from councils.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one budget would have to hold for the question; ``None``: not known."""

    standing: Standing
    needed: Decimal | None
    is_free: bool

    @property
    def fits(self) -> bool:
        """Whether the budget would take it now. What is free needs nothing, what may cost any amount never fits."""
        return self.is_free or (self.needed is not None and self.needed <= min(self.standing.left, MOST_USD))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """An estimate and what it goes by. ``reason`` says why it is unknown; empty where it is not."""

    estimate: Estimate
    reason: str
    snapshot: Snapshot
    matter: Matter
    shares: Sequence[Share]

    @property
    def fits(self) -> bool:
        """Whether such a question could start now: its price is known, and every budget that binds it can pay."""
        return not self.reason and all(share.fits for share in self.shares)

    @property
    def seats(self) -> int:
        return len(self.snapshot.spec.answering())

    @property
    def seats_with_past(self) -> int:
        """Of how many seats it is known how much they wrote lately."""
        known = {agent for _stage, agent in self.matter.past}
        return sum(seat.agent_id in known for seat in self.snapshot.spec.answering())


def quote_for(
    *, by: Asker, council: CouncilConfiguration, question: str, conversation: Conversation | None = None, member: str = ""
) -> Quote:
    """What this question would cost this council, or one seat of it. Raises what ``ask_council`` raises of text, council and member.

    ``conversation`` must be visible to ``by``: the door sees to that. The number of queries does not grow with anything.
    """
    user, api_key = who(by)
    matter = matter_of(clean_question(question), council=council, conversation=conversation)
    snapshot = seated(council, member=member)
    reason = " ".join(missing_prices(snapshot))
    estimate = Estimate() if reason else estimate_run(snapshot, matter)
    standings = standings_for(by=user, council=council, api_key=api_key)
    is_free = estimate.high == 0
    shares = [Share(standing=one, needed=needed_by(one.budget, estimate), is_free=is_free) for one in standings]
    return Quote(estimate=estimate, reason=reason, snapshot=snapshot, matter=matter, shares=shares)
