"""What a run used, by stage and model."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from councils.engine.types import Stage, UsageSource
from councils.models import CallStatus, ModelCall, RunStep
from councils.web.members import Text

STAGE_TITLES: dict[str, Text] = {
    Stage.OPINIONS.value: _("Opinions"),
    Stage.REVIEW.value: _("Review"),
    Stage.SYNTHESIS.value: _("Synthesis"),
}


@dataclass(slots=True, kw_only=True)
class CostLine:
    """The calls of one model in one stage. ``unknown`` counts calls whose cost or tokens are not known; they are not in the sums."""

    title: Text
    model: str
    calls: int = 0
    failed: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_ms: int = 0
    known_cost_usd: Decimal = field(default_factory=Decimal)
    unknown: int = 0
    estimated: bool = False

    @property
    def cost_usd(self) -> Decimal | None:
        return None if self.unknown else self.known_cost_usd

    def add(self, call: ModelCall) -> None:
        self.calls += 1
        self.cached += call.cached
        self.failed += call.status not in {CallStatus.DONE.value, CallStatus.SENDING.value}
        self.prompt_tokens += call.prompt_tokens or 0
        self.completion_tokens += call.completion_tokens or 0
        self.latency_ms += call.latency_ms or 0
        self.estimated = self.estimated or call.usage_source == UsageSource.ESTIMATED.value
        if call.cost_usd is None:
            self.unknown += 1
        else:
            self.known_cost_usd += call.cost_usd


def cost_lines(steps: Iterable[RunStep], *, name: Callable[[str], str] = str) -> Sequence[CostLine]:
    """One line per stage and model, in the order in which they were first called. Steps come with their calls prefetched.

    ``name`` gives what people see of a model's name.
    """
    lines: dict[tuple[str, str], CostLine] = {}
    for step in steps:
        for call in step.calls.all():
            key = (step.stage, call.model_name)
            lines.setdefault(key, CostLine(title=STAGE_TITLES[step.stage], model=name(call.model_name))).add(call)
    return list(lines.values())


def cost_total(lines: Iterable[CostLine]) -> CostLine:
    """The sum of the lines."""
    total = CostLine(title=_("All"), model="")
    for line in lines:
        total.calls += line.calls
        total.failed += line.failed
        total.cached += line.cached
        total.prompt_tokens += line.prompt_tokens
        total.completion_tokens += line.completion_tokens
        total.latency_ms += line.latency_ms
        total.known_cost_usd += line.known_cost_usd
        total.unknown += line.unknown
        total.estimated = total.estimated or line.estimated
    return total
