"""What a run will cost, before it starts: low, expected and at most, from prices and what this council's seats wrote before.

Answers are guessed from the last questions that the council answered; a seat without a past is taken to write what is usual. The upper
estimate takes every answer as long as its limit allows, by the dearest model of its seat; of what is asked it takes a token a byte, and of
answers that others read twice the tokens that they were written with. Retries and repairs come on top of it: nobody can know them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any

from django.db.models import Avg, Min, QuerySet

from councils.costing import cost_of, output_limit, text_bound
from councils.engine.steps import SYNTHESIS, opinion_key, review_key
from councils.engine.types import ChairmanMode, CouncilSpec, RunStatus, Seat, Stage
from councils.models import CallStatus, CouncilRun, ModelCall
from councils.providers.usage import CHARS_PER_TOKEN
from councils.snapshot import Snapshot
from councils.store.budgets import rounded_up

LAST_RUNS = 20
# Tokens that an answer usually has, and at least; a ballot has so many for each answer that it judges.
USUAL = {Stage.OPINIONS: 400, Stage.REVIEW: 70, Stage.SYNTHESIS: 500}
AT_LEAST = {Stage.OPINIONS: 80, Stage.REVIEW: 25, Stage.SYNTHESIS: 100}
# Rules, form and labels around the material, and the schema of a ballot.
WRAPPING = 700
CRITIQUE = 75
HISTORY_IN_REVIEWS = 2_000
# Another model's tokenizer may need more for the same text.
PROMPT_MARGIN = 2
MIN_SEEN = 2


class Level(Enum):
    LOW = "low"
    EXPECTED = "expected"
    HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """USD. All are ``None`` where a price is missing."""

    low: Decimal | None = None
    expected: Decimal | None = None
    high: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """Tokens that a seat wrote in a stage: on average, and at least."""

    mean: int
    least: int


Past = Mapping[tuple[str, str], Written]
"""By stage and agent id (empty for the chairman)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What a run is about. ``kept`` are steps that are there already and need not be paid; ``history_chars`` is the conversation so far."""

    question: str
    history_chars: int = 0
    kept: frozenset[str] = frozenset()
    past: Past = field(default_factory=dict)


def past_of(council: int) -> Past:
    """What the seats of this council wrote in its last questions. One query."""
    full = (RunStatus.SUCCEEDED.value, RunStatus.PARTIAL.value)
    runs = CouncilRun.objects.real().filter(council=council, status__in=full).order_by("-pk").values("pk")[:LAST_RUNS]
    return pasts_in(runs).get(council, {})


def pasts_in(runs: Iterable[int] | QuerySet[CouncilRun, Any]) -> Mapping[int, Past]:
    """What the seats of each council wrote in these runs, by the council's primary key. One query."""
    # What came from the cache took no tokens, and says nothing of what is paid when it is not there.
    calls = ModelCall.objects.filter(run__in=runs, status=CallStatus.DONE.value, completion_tokens__gt=0).order_by()
    rows = calls.values_list("run__council", "step__stage", "step__agent_id")
    pasts: dict[int, dict[tuple[str, str], Written]] = {}
    for council, stage, agent, mean, least in rows.annotate(mean=Avg("completion_tokens"), least=Min("completion_tokens")):
        pasts.setdefault(council, {})[stage, agent] = Written(round(mean), least)
    return pasts


def estimate_run(snapshot: Snapshot, matter: Matter) -> Estimate:
    """What this run will cost. Pure."""
    low, expected, high = (_Reckoning(snapshot, matter, level).total() for level in Level)
    return Estimate(low=low, expected=expected, high=high)


@dataclass(frozen=True, slots=True)
class _Reckoning:
    """One of the three estimates."""

    snapshot: Snapshot
    matter: Matter
    level: Level

    @property
    def spec(self) -> CouncilSpec:
        return self.snapshot.spec

    def total(self) -> Decimal | None:
        """The sum of all calls; ``None`` as soon as one is unknown."""
        total = Decimal(0)
        for cost in self._costs():
            if cost is None:
                return None
            total += cost
        return rounded_up(total)

    def _costs(self) -> Iterable[Decimal | None]:
        for round_ in range(1, self._rounds() + 1):
            yield from (self._opinion(seat, round_) for seat in self._asked(self.spec.answering(), partial(opinion_key, round_=round_)))
            yield from (self._review(seat, round_) for seat in self._asked(self._reviewers(), partial(review_key, round_=round_)))
        if self._is_synthesised() and SYNTHESIS not in self.matter.kept:
            yield self._synthesis()

    def _rounds(self) -> int:
        return 2 if self.spec.extra_round and self.level is Level.HIGH else 1

    def _asked(self, seats: Iterable[Seat], key: "partial[str]") -> Iterable[Seat]:
        return (seat for seat in seats if key(seat.agent_id) not in self.matter.kept)

    def _reviewers(self) -> list[Seat]:
        if not self.spec.enable_peer_review:
            return []
        return [seat for seat in self.spec.reviewing() if len(self._seen_by(seat)) >= MIN_SEEN]

    def _seen_by(self, seat: Seat) -> list[Seat]:
        return [author for author in self.spec.answering() if author.agent_id != seat.agent_id]

    def _is_synthesised(self) -> bool:
        chosen = self.spec.chairman_mode is ChairmanMode.SELECT_BEST and bool(self._reviewers())
        return len(self.spec.answering()) > 1 and (not chosen or self.level is Level.HIGH)

    def _opinion(self, seat: Seat, round_: int) -> Decimal | None:
        prompt = self._text(seat.persona) + self._text(self.matter.question) + self._history(self.spec.history_chars)
        if round_ > 1:
            prompt += self._answers(self.spec.answering()) + self._wrapping
        return self._dearest((seat.model, *seat.fallbacks), prompt, Stage.OPINIONS, seat.agent_id, seat.max_tokens)

    def _review(self, seat: Seat, round_: int) -> Decimal | None:
        seen = self._seen_by(seat)
        limit = self.spec.review_max_tokens or seat.max_tokens
        prompt = self._material() + round_ * self._answers(seen)
        return self._dearest((seat.model, *seat.fallbacks), prompt, Stage.REVIEW, seat.agent_id, limit, times=round_ * len(seen))

    def _synthesis(self) -> Decimal | None:
        answers = self.spec.answering() if self.level is Level.HIGH else self.spec.answering()[: self.spec.top_k]
        critiques = CRITIQUE * len(answers) * len(self._reviewers()) * self._margin
        prompt = self._material() + self._answers(answers) + critiques
        return self._dearest(self.spec.chairman, prompt, Stage.SYNTHESIS, "", self.spec.chairman_max_tokens)

    @property
    def _margin(self) -> int:
        return PROMPT_MARGIN if self.level is Level.HIGH else 1

    @property
    def _wrapping(self) -> int:
        return WRAPPING * (CHARS_PER_TOKEN if self.level is Level.HIGH else 1)

    def _text(self, text: str) -> int:
        return text_bound(text) if self.level is Level.HIGH else -(-len(text) // CHARS_PER_TOKEN)

    def _history(self, room: int) -> int:
        chars = min(self.matter.history_chars, room)
        return chars if self.level is Level.HIGH else chars // CHARS_PER_TOKEN

    def _material(self) -> int:
        """The question, the conversation and what stands around them in a review or a synthesis."""
        return self._text(self.matter.question) + self._history(HISTORY_IN_REVIEWS * CHARS_PER_TOKEN) + self._wrapping

    def _answers(self, seats: Iterable[Seat]) -> int:
        return sum(self._writes(Stage.OPINIONS, seat.agent_id, seat.model, seat.max_tokens) for seat in seats) * self._margin

    def _writes(self, stage: Stage, agent_id: str, model: str, max_tokens: int | None, times: int = 1) -> int:
        limit = output_limit(self.snapshot.models[model], max_tokens)
        if self.level is Level.HIGH:
            return limit
        past = self.matter.past.get((stage.value, agent_id))
        if past is not None:
            return min(past.mean if self.level is Level.EXPECTED else past.least, limit)
        return min((USUAL if self.level is Level.EXPECTED else AT_LEAST)[stage] * times, limit)

    def _dearest(
        self, models: tuple[str, ...], prompt: int, stage: Stage, agent_id: str, max_tokens: int | None, *, times: int = 1
    ) -> Decimal | None:
        """The cost of one call by the first of these models; at most, by the dearest of them."""
        asked = models if self.level is Level.HIGH else models[:1]
        costs = []
        for model in asked:
            output = self._writes(stage, agent_id, model, max_tokens, times)
            costs.append(cost_of(self.snapshot.models[model], prompt_tokens=prompt, output_tokens=output))
        known = [cost for cost in costs if cost is not None]
        return max(known, default=None) if len(known) == len(costs) else None
