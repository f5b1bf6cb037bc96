"""What a user's questions have cost, today and this month, UTC."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from operator import attrgetter

from django.utils import timezone

from councils.models import BudgetPeriod, CouncilRun, User


@dataclass(slots=True, kw_only=True)
class Spent:
    """A sum over runs. ``unknown_costs`` counts calls whose cost is not known; they are not in ``known_cost_usd``."""

    council: str = ""
    questions: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    known_cost_usd: Decimal = Decimal(0)
    unknown_costs: int = 0

    @property
    def cost_usd(self) -> Decimal | None:
        """``None`` when the cost of any call is unknown."""
        return None if self.unknown_costs else self.known_cost_usd

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def add(self, run: CouncilRun) -> None:
        self.questions += 1
        self.prompt_tokens += run.prompt_tokens
        self.completion_tokens += run.completion_tokens
        self.known_cost_usd += run.known_cost_usd
        self.unknown_costs += run.unknown_costs


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What was spent since a moment, in all and by council, dearest first."""

    since: datetime
    total: Spent
    by_council: Sequence[Spent]


def spending_of(user: User) -> tuple[Spending, Spending]:
    """Today and this month. A run counts where it was asked; deleted conversations count too: they were paid. One query."""
    now = timezone.now()
    day, month = (datetime.combine(period.start(now), time.min, UTC) for period in (BudgetPeriod.DAY, BudgetPeriod.MONTH))
    figures = ("council_name", "created_at", "prompt_tokens", "completion_tokens", "known_cost_usd", "unknown_costs")
    runs = list(CouncilRun.objects.filter(owner=user, created_at__gte=month).order_by("pk").only(*figures))
    return _sum(day, (run for run in runs if run.created_at >= day)), _sum(month, runs)


def _sum(since: datetime, runs: Iterable[CouncilRun]) -> Spending:
    total, councils = Spent(), dict[str, Spent]()
    for run in runs:
        total.add(run)
        councils.setdefault(run.council_name, Spent(council=run.council_name)).add(run)
    return Spending(since=since, total=total, by_council=sorted(councils.values(), key=attrgetter("known_cost_usd"), reverse=True))
