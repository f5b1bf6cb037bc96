"""The values of a deliberation: frozen, typed, without storage or network.

Tokens are counts, times are seconds (``_s``) or milliseconds (``_ms``), money is not known here. ``None`` means unknown, which is
never zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    OPINIONS = "opinions"
    REVIEW = "review"
    SYNTHESIS = "synthesis"


class VotingSystem(StrEnum):
    RANKED_CHOICE = "ranked_choice"
    WEIGHTED = "weighted"
    CONSENSUS = "consensus"


class ChairmanMode(StrEnum):
    HYBRID = "hybrid"
    SYNTHESIZE = "synthesize"
    SELECT_BEST = "select_best"


class StructuredMode(StrEnum):
    """How a provider is asked for JSON, strongest first."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    PLAIN = "plain"


class UsageSource(StrEnum):
    REPORTED = "reported"
    ESTIMATED = "estimated"


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"  # cut by the token limit
    SIZE = "size"  # cut by our own size cap
    FILTERED = "content_filter"
    REFUSAL = "refusal"
    OTHER = "other"


CUT = frozenset({FinishReason.LENGTH.value, FinishReason.SIZE.value})
"""Why a text ends at a limit on its length, not where its author would have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """One message of a prompt. ``role`` is ``system``, ``user`` or ``assistant``."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one completion consumed.

    Tokens as the provider reported them, or estimated (``source``). ``None`` means unknown, which is not zero.
    """

    prompt_tokens: int | None
    completion_tokens: int | None
    source: UsageSource = UsageSource.REPORTED

    @property
    def total_tokens(self) -> int | None:
        if self.prompt_tokens is None or self.completion_tokens is None:
            return None
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Time limits of one call, in seconds; ``total_s`` holds whatever else happens (a slow drip does not beat it)."""

    connect_s: float = 10.0
    first_token_s: float = 60.0
    idle_s: float = 30.0
    total_s: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """One call to one model.

    ``model`` is the provider's own name. ``call_id`` travels to the provider as ``X-Client-Request-Id`` so that its log can be held
    against our ledger. ``schema`` is a JSON schema, honoured as far as ``structured`` says. ``max_chars`` caps the answer's text;
    what is longer is cut and the finish reason becomes ``SIZE``.
    """

    model: str
    messages: tuple[ChatMessage, ...]
    call_id: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    schema: Mapping[str, Any] | None = None
    schema_name: str = "answer"
    structured: StructuredMode = StructuredMode.PLAIN
    deadlines: Deadlines = field(default_factory=Deadlines)
    max_chars: int = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """The next piece of an answer's text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A finished answer: the whole text and what the provider said about it.

    ``model`` is the name that the provider reported (it may differ from the one asked), empty when it said none.
    ``latency_ms`` runs from sending to the end, ``first_token_ms`` to the first text, ``headers_ms`` to the first sign of the provider.
    """

    text: str
    finish_reason: FinishReason
    usage: Usage
    model: str = ""
    latency_ms: int = 0
    first_token_ms: int | None = None
    headers_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One seat of a council. ``model`` is a key that the host resolves; the engine never looks inside it.

    ``fallbacks`` are the keys to ask when that model fails for good, in order.
    """

    agent_id: str
    name: str
    model: str
    persona: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    weight: float = 1.0
    answers: bool = True
    reviews: bool = True
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSet:
    """The templates of the three stages, with ``{placeholders}`` (see ``prompts.py``)."""

    opinion: str
    review: str
    synthesis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CouncilSpec:
    """Everything about a council that can change the course of a run. Frozen into the run when it starts.

    ``chairman`` is a list of model keys: the chairman, then its fallbacks. ``seed`` fixes every shuffle and tie-break of the run.
    Times in seconds: an opinion or a ballot slower than ``max(soft_deadline_min_s, 2 × the median finished latency)`` is late and
    not waited for; one slower than ``stage_deadline_s`` has failed; ``run_deadline_s`` ends the run. ``history_chars`` is how much of the
    conversation before the question members get to read, newest turns first. ``patient``: nobody is called late, all have the whole
    ``stage_deadline_s``.
    """

    name: str
    seed: str
    seats: tuple[Seat, ...]
    chairman: tuple[str, ...]
    prompts: PromptSet
    voting_system: VotingSystem = VotingSystem.RANKED_CHOICE
    chairman_mode: ChairmanMode = ChairmanMode.HYBRID
    enable_peer_review: bool = True
    anonymous: bool = True
    min_models: int = 3
    quorum: int = 2
    top_k: int = 3
    chairman_temperature: float | None = None
    chairman_max_tokens: int | None = None
    review_max_tokens: int | None = None
    soft_deadline_min_s: float = 10.0
    stage_deadline_s: float = 120.0
    run_deadline_s: float = 420.0
    history_chars: int = 32_000
    extra_round: bool = False
    skip_review_when_closed_form_agrees: bool = False
    patient: bool = False

    def answering(self) -> tuple[Seat, ...]:
        """The seats that give an opinion."""
        return tuple(seat for seat in self.seats if seat.answers)

    def reviewing(self) -> tuple[Seat, ...]:
        """The seats that cast a ballot."""
        return tuple(seat for seat in self.seats if seat.reviews)

    def seat(self, agent_id: str) -> Seat:
        """The seat of this agent; ``KeyError`` where there is none."""
        for seat in self.seats:
            if seat.agent_id == agent_id:
                return seat
        raise KeyError(agent_id)


class BallotRung(StrEnum):
    """Which rung of the parse ladder read a ballot, strictest first."""

    STRICT = "strict"
    EMBEDDED = "embedded"
    REPAIRED_JSON = "repaired_json"
    COERCED = "coerced"
    PROSE = "prose"
    REPAIR_CALL = "repair_call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a reviewer said of one answer. ``score`` is 1-10, ``None`` where only an order was given."""

    agent_id: str
    score: float | None
    reasoning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """One reviewer's ranking: tiers of agent ids, best first, ties share a tier. Only answers the reviewer saw are in it."""

    reviewer: str
    tiers: tuple[tuple[str, ...], ...]
    weight: float = 1.0
    verdicts: tuple[Verdict, ...] = ()
    rung: BallotRung = BallotRung.STRICT

    def ranked(self) -> tuple[str, ...]:
        """All agent ids on this ballot, best first."""
        return tuple(agent for tier in self.tiers for agent in tier)

    def scores(self) -> dict[str, float]:
        """Scores by agent id, where the reviewer gave them."""
        return {v.agent_id: v.score for v in self.verdicts if v.score is not None}


class StepStatus(StrEnum):
    """The state of one step of a run. All but ``RUNNING`` and ``LATE`` are final; a late step may still become ``LATE_DONE``."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INVALID = "invalid"  # answered, but no valid ballot in it
    LATE = "late"  # not waited for any more, its call may still run
    LATE_DONE = "late_done"  # came after the council had moved on: stored and shown, not reviewed
    CANCELLED = "cancelled"


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Mark(StrEnum):
    """What a reader should know about how a result came about."""

    SINGLE = "single"  # only one opinion came
    UNREVIEWED = "unreviewed"  # no valid vote
    CONTESTED = "contested"  # the tallies disagree about the winner
    SUBSTITUTED = "substituted"  # a fallback model spoke for some seat
    DEGRADED = "degraded"  # some seats failed or were late
    VERBATIM = "verbatim"  # the top-ranked answer as it was: no chairman answered
    DEADLINE = "deadline"  # the run's time was up
    BUDGET = "budget"  # a budget could not pay for all calls
    CUT = "cut"  # the answer ends at a limit on its length
