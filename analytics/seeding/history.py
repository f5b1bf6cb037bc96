"""Writes the invented past: runs with their steps, calls, bookings, events and messages, in the order in which they were asked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from django.db import transaction

from analytics.seeding.sink import Sink, finish
from analytics.seeding.votes import Vote, make_votes
from analytics.seeding.world import COUNCILS, SHAPES, ModelShape, World
from councils.engine.types import Mark, RunStatus, Stage, StepStatus, UsageSource
from councils.models import (
    CallStatus,
    Conversation,
    CouncilConfiguration,
    CouncilRun,
    EntryKind,
    LedgerEntry,
    Message,
    MessageRole,
    ModelCall,
    RunEvent,
    RunOrigin,
    RunStep,
)
from councils.models.base import new_public_id
from councils.models.budget import UNIT_USD
from councils.snapshot import take_snapshot

BATCH_RUNS = 500
MILLISECOND = timedelta(milliseconds=1)
# Errors as calls record them, with how often: what providers refuse, and what breaks after sending.
REFUSALS = ("rate_limited",) * 6 + ("provider_unavailable",) * 3 + ("authentication_failed",)
BREAKS = ("timeout",) * 5 + ("broken_stream",) * 3 + ("empty_answer", "connect_failed")
QUESTIONS = (
    "How should we price the annual plan?",
    "Which of the two contracts is the safer one?",
    "What speaks against moving to Lisbon?",
)
WORDS = ("the", "answer", "depends", "on", "what", "you", "count", "first", "so", "look", "at", "both", "sides", "before", "deciding")
# How much is asked in each hour of the day, UTC.
DAY = (2, 1, 1, 1, 1, 2, 4, 7, 11, 14, 15, 14, 12, 14, 15, 14, 12, 10, 8, 6, 5, 4, 3, 3)


@dataclass(frozen=True, slots=True)
class Setting:
    """A council as its runs need it."""

    council: CouncilConfiguration
    snapshot: Mapping[str, Any]
    votes: Sequence[Vote]
    seats: Sequence[int]

    @property
    def calls(self) -> int:
        """Calls of a run in which nothing goes wrong."""
        return 2 * len(self.seats) + 1


@dataclass(slots=True)
class RunTally:
    """What the calls of a run come to while they are written."""

    known: Decimal = Decimal(0)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unknown: int = 0


class Historian:
    """Writes runs. All but their ids is drawn from one seed: the same numbers make the same past."""

    def __init__(self, world: World, *, seed: int) -> None:
        self.random = Random(seed)
        self.world = world
        self.settings = [self._setting(council, seats) for council, (_, seats) in zip(world.councils, COUNCILS, strict=True)]
        kinds = (Conversation, Message, CouncilRun, RunStep, ModelCall, LedgerEntry, RunEvent)
        self.sinks = {model: Sink(model) for model in kinds}
        self.calls = 0

    def write(self, *, runs: int, calls: int, conversations: int, until: datetime, days: int) -> Iterator[int]:
        """Write so many runs, evenly spread over so many conversations, of about so many calls; the number of runs after each batch."""
        times = self._times(runs, until, days)
        threads: list[tuple[int, int]] = []
        for first in range(0, runs, BATCH_RUNS):
            with transaction.atomic():
                for number in range(first, min(first + BATCH_RUNS, runs)):
                    if len(threads) * runs <= number * conversations and len(threads) < conversations:
                        threads.append(self._thread(times[number]))
                    setting = self._choose(calls - self.calls, runs - number)
                    # People go on with what they asked lately.
                    thread = threads[-1 - int(self.random.random() ** 3 * min(len(threads), 400))]
                    self._run(setting, times[number], thread)
                for sink in self.sinks.values():
                    sink.flush()
            yield min(first + BATCH_RUNS, runs)
        finish(self.sinks.values())

    def _setting(self, council: CouncilConfiguration, seats: Sequence[int]) -> Setting:
        loaded = CouncilConfiguration.objects.with_details().get(pk=council.pk)
        votes = make_votes(self.random, council.voting_system, [SHAPES[place].quality for place in seats])
        return Setting(council, take_snapshot(loaded, seed="history").to_json(), votes, seats)

    def _times(self, runs: int, until: datetime, days: int) -> list[datetime]:
        """Moments in the order of time: more by day than by night, fewer on Saturdays and Sundays, slowly growing."""
        hours = [until - timedelta(hours=back) for back in range(days * 24, 0, -1)]
        weights = [DAY[h.hour] * (0.35 if h.weekday() > 4 else 1.0) * (0.6 + 0.4 * n / len(hours)) for n, h in enumerate(hours)]
        chosen = self.random.choices(hours, weights, k=runs)
        return sorted(hour + timedelta(seconds=self.random.uniform(0, 3_590)) for hour in chosen)

    def _choose(self, calls: int, runs: int) -> Setting:
        """A council, so that the calls that are left last for the runs that are left."""
        wanted = calls / runs
        fitting = sorted(self.settings, key=lambda setting: abs(setting.calls * 1.03 - wanted))
        best = min(max(wanted, self.settings[0].calls), self.settings[-1].calls)
        if self.random.random() < 0.7:
            smaller, larger = [s for s in fitting if s.calls <= best], [s for s in fitting if s.calls >= best]
            return self.random.choice([(smaller or fitting)[0], (larger or fitting)[0]])
        return fitting[self.random.randrange(min(3, len(fitting)))]

    def text(self, words: int) -> str:
        return " ".join(self.random.choices(WORDS, k=words)).capitalize() + "."

    def _thread(self, at: datetime) -> tuple[int, int]:
        """A conversation: its key and its owner's."""
        # Some people ask far more than others.
        owner = self.world.people[int(self.random.random() ** 2 * len(self.world.people))].pk
        sink = self.sinks[Conversation]
        pk = sink.next_pk()
        title = f"{self.random.choice(QUESTIONS)} ({pk})"
        sink.add({"id": pk, "public_id": new_public_id(), "owner_id": owner, "title": title, "created_at": at, "updated_at": at})
        return pk, owner

    def _message(self, thread: int, role: MessageRole, text: str, at: datetime, run: int | None = None) -> int:
        pk = self.sinks[Message].next_pk()
        ids = {"id": pk, "public_id": new_public_id(), "conversation_id": thread, "run_id": run}
        self.sinks[Message].add({**ids, "role": role.value, "text": text, "created_at": at})
        return pk

    def _run(self, setting: Setting, at: datetime, thread: tuple[int, int]) -> None:
        conversation, owner = thread
        pk, message = self.sinks[CouncilRun].next_pk(), self._message(conversation, MessageRole.USER, self.text(12), at)
        status = self.random.choices(list(ENDS), list(ENDS.values()))[0]
        steps = _StepWriter(self, pk, owner)
        vote, sums = self.random.choice(setting.votes), steps.sums
        end = self._deliberate(setting, vote, status, at, steps)
        answer = self.text(60) if status in {RunStatus.SUCCEEDED, RunStatus.PARTIAL} else ""
        self.sinks[CouncilRun].add(
            {
                "id": pk,
                "public_id": new_public_id(),
                "conversation_id": conversation,
                "message_id": message,
                "owner_id": owner,
                "council_id": setting.council.pk,
                "council_name": setting.council.name,
                "origin": RunOrigin.API.value if self.random.random() < 0.2 else RunOrigin.WEB.value,
                "config_snapshot": setting.snapshot,
                "status": status.value,
                "reason": "Invented.",
                "answer": answer,
                "answer_by": "chairman" if answer else "",
                "marks": _marks(status, vote) if answer else [],
                "consensus_score": vote.score if answer else None,
                "epoch": 1,
                "next_seq": 3,
                "prompt_tokens": sums.prompt_tokens,
                "completion_tokens": sums.completion_tokens,
                "known_cost_usd": sums.known,
                "unknown_costs": sums.unknown,
                "created_at": at,
                "started_at": at + 40 * MILLISECOND,
                "finished_at": end,
            }
        )
        events: Sequence[tuple[int, str, Mapping[str, str], datetime]] = (
            (1, "run_queued", {}, at),
            (2, "run_finished", {"status": status.value}, end),
        )
        for seq, kind, payload, when in events:
            ids = {"id": self.sinks[RunEvent].next_pk(), "run_id": pk, "seq": seq}
            self.sinks[RunEvent].add({**ids, "type": kind, "payload": payload, "created_at": when})
        if answer:
            self._message(conversation, MessageRole.ASSISTANT, answer, end, run=pk)

    def _deliberate(self, setting: Setting, vote: Vote, status: RunStatus, at: datetime, steps: "_StepWriter") -> datetime:
        """The steps of a run; when the last one ended. Failed and cancelled runs end with their opinions."""
        shapes = [SHAPES[place] for place in setting.seats]
        agents = [f"agent_{place}" for place in range(1, len(shapes) + 1)]
        fails = status in {RunStatus.FAILED, RunStatus.CANCELLED}
        start = at + 50 * MILLISECOND
        opinions = [
            steps.ask(
                f"opinion:{agent}", Stage.OPINIONS, agent, shape, start, end=StepStatus.FAILED if fails and place > 0 else StepStatus.DONE
            )
            for place, (agent, shape) in enumerate(zip(agents, shapes, strict=True))
        ]
        if fails:
            return max(opinions)
        start = max(opinions)
        # In a partial run one ballot is missing: none came, or nobody can count it.
        lost = self.random.choice((StepStatus.FAILED, StepStatus.INVALID)) if status is RunStatus.PARTIAL else StepStatus.DONE
        endings = dict.fromkeys(agents, StepStatus.DONE) | {agents[-1]: lost}
        reviews = [
            steps.ask(f"review:{agent}", Stage.REVIEW, agent, shape, start, payload=vote.ballots[agent], end=endings[agent])
            for agent, shape in zip(agents, shapes, strict=True)
        ]
        start = max(reviews)
        steps.note("tally", vote.tally, start)
        return steps.ask("synthesis", Stage.SYNTHESIS, "", shapes[0], start)


ENDS = {RunStatus.SUCCEEDED: 0.93, RunStatus.PARTIAL: 0.035, RunStatus.FAILED: 0.02, RunStatus.CANCELLED: 0.015}


def _marks(status: RunStatus, vote: Vote) -> list[str]:
    """What is to be said of such a run beside its status, as its row keeps it."""
    facts = {Mark.CONTESTED: bool(vote.tally["contested"]), Mark.DEGRADED: status is RunStatus.PARTIAL}
    return [mark.value for mark, holds in facts.items() if holds]


class _StepWriter:
    """Writes the steps of one run with their calls."""

    def __init__(self, historian: Historian, run: int, owner: int) -> None:
        self.historian, self.run, self.account, self.sums = historian, run, f"user:{owner}", RunTally()
        self.random, self.sinks = historian.random, historian.sinks

    def note(self, key: str, payload: Mapping[str, Any], at: datetime) -> None:
        """A step without a call."""
        ids = {"id": self.sinks[RunStep].next_pk(), "run_id": self.run, "key": key, "stage": Stage.REVIEW.value}
        self.sinks[RunStep].add({**ids, "status": StepStatus.DONE.value, "payload": payload, "started_at": at, "finished_at": at})

    def ask(
        self,
        key: str,
        stage: Stage,
        agent: str,
        shape: ModelShape,
        at: datetime,
        *,
        payload: Mapping[str, Any] | None = None,
        end: StepStatus = StepStatus.DONE,
    ) -> datetime:
        """A step that one call answers, sometimes after one that failed; when it ended. ``end`` says how."""
        broken = end is StepStatus.FAILED
        pk, attempt, now = self.sinks[RunStep].next_pk(), 1, at
        if broken or self.random.random() < shape.failures:
            now, kind = self._fail(pk, attempt, shape, now)
            attempt += 1
        facts: dict[str, Any] = {"status": end.value, **({"error_kind": kind} if broken else {})}
        if not broken:
            now, latency_ms = self._answer(pk, attempt, stage, shape, now)
            facts |= {
                "latency_ms": latency_ms,
                "text": self.historian.text(70) if stage is not Stage.REVIEW else "",
                "payload": (payload or {}) if end is StepStatus.DONE else {},
            }
        ids = {"id": pk, "run_id": self.run, "key": key, "stage": stage.value, "agent_id": agent, "model_name": shape.name}
        self.sinks[RunStep].add({**ids, **facts, "started_at": at, "finished_at": now})
        return now

    def _answer(self, step: int, attempt: int, stage: Stage, shape: ModelShape, at: datetime) -> tuple[datetime, int]:
        cached = stage is Stage.OPINIONS and self.random.random() < 0.04
        latency_ms = 2 if cached else int(self.random.lognormvariate(0, 0.45) * shape.median_ms * (0.6 if stage is Stage.REVIEW else 1.0))
        read, written = int(self.random.lognormvariate(6.6, 0.6)), int(self.random.lognormvariate(5.8, 0.5))
        cost = (Decimal(shape.input_price) * read + Decimal(shape.output_price) * written) / 1_000
        unknown = not cached and self.random.random() < 0.0001
        facts = {
            "status": CallStatus.DONE.value,
            "cached": cached,
            "prompt_tokens": read,
            "completion_tokens": written,
            "usage_source": (UsageSource.ESTIMATED if self.random.random() < 0.03 else UsageSource.REPORTED).value,
            "cost_usd": Decimal(0) if cached else None if unknown else cost.quantize(UNIT_USD),
            "latency_ms": latency_ms,
            "first_token_ms": latency_ms // 8,
            "finish_reason": "stop",
        }
        self._call(shape, at, at + latency_ms * MILLISECOND, {"step_id": step, "attempt": attempt, **facts})
        return at + latency_ms * MILLISECOND, latency_ms

    def _fail(self, step: int, attempt: int, shape: ModelShape, at: datetime) -> tuple[datetime, str]:
        refused = self.random.random() < 0.4
        kind = self.random.choice(REFUSALS if refused else BREAKS)
        latency_ms = self.random.randrange(40, 400) if refused else self.random.randrange(2_000, 60_000)
        status = CallStatus.REFUSED if refused else CallStatus.BROKEN
        facts = {"status": status.value, "error_kind": kind, "error_detail": "Invented.", "latency_ms": latency_ms, "cost_usd": Decimal(0)}
        self._call(shape, at, at + latency_ms * MILLISECOND, {"step_id": step, "attempt": attempt, **facts})
        return at + (latency_ms + 1_000) * MILLISECOND, kind

    def _call(self, shape: ModelShape, at: datetime, end: datetime, facts: Mapping[str, Any]) -> None:
        pk, cost = self.sinks[ModelCall].next_pk(), facts["cost_usd"]
        model = self.historian.world.models[SHAPES.index(shape)]
        named = {"model_id": model.pk, "model_name": shape.name, "provider_name": shape.provider, "endpoint": model.provider.base_url}
        prices = {"input_price": Decimal(shape.input_price), "output_price": Decimal(shape.output_price)}
        ids = {"id": pk, "public_id": new_public_id(), "run_id": self.run, "epoch": 1}
        self.sinks[ModelCall].add({**ids, **named, **prices, **facts, "created_at": at, "finished_at": end})
        entry = {"id": self.sinks[LedgerEntry].next_pk(), "call_id": pk, "account": self.account, "kind": EntryKind.CHARGED.value}
        self.sinks[LedgerEntry].add({**entry, "amount_usd": cost, "created_at": end})
        self.historian.calls += 1
        self.sums.prompt_tokens += facts.get("prompt_tokens") or 0
        self.sums.completion_tokens += facts.get("completion_tokens") or 0
        self.sums.unknown += cost is None
        self.sums.known += cost or Decimal(0)
