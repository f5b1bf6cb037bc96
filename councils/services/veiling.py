"""Blind runs: what their reader may see before picking the best answer, on pages and over sockets.

Until then answers bear numbers instead of names. What is let through is listed here, and nothing else is: a new field of an event or a
snapshot stays behind the veil by itself. The texts of answers are shown as they are written; a member that signs its answer, or a
chairman that says who wrote what, has told on its own.
"""

import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

from django.db.models import BigIntegerField
from django.db.models.functions import Coalesce
from django.utils.crypto import salted_hmac

from councils.engine.steps import SYNTHESIS, author_of, candidate_id, opinion_key, round_of
from councils.engine.types import Stage, StepStatus
from councils.models import AnswerPick, CouncilRun, RunStep

ENOUGH_TO_COMPARE = 2
OF_A_SNAPSHOT = ("type", "run", "seq", "live", "status")
OF_AN_EVENT = ("seq", "type", "at")
_WHOLE = frozenset({StepStatus.DONE.value, StepStatus.LATE_DONE.value})


@dataclass(frozen=True, slots=True)
class Veil:
    """``numbers`` are those that answers bear in place of their members' names, by agent id, from 1. ``secret`` is the run's own."""

    numbers: Mapping[str, int]
    secret: bytes = b""

    def alias(self, candidate: str) -> str:
        """How pages and frames name an answer: ``agent_2:2`` becomes ``answer_4:2``."""
        return candidate_id(f"answer_{self.numbers[author_of(candidate)]}", round_of(candidate))

    def shown(self, candidates: Iterable[str]) -> list[str]:
        """Answers in the order in which they are shown: first those of the first round, by number."""
        known = (candidate for candidate in candidates if author_of(candidate) in self.numbers)
        return sorted(known, key=lambda candidate: (round_of(candidate), self.numbers[author_of(candidate)]))

    def key(self, key: str) -> str | None:
        """A step's key as a viewer may know it; ``None`` for what stays behind the veil, which is all but answers."""
        if key == SYNTHESIS:
            return key
        stage, _, candidate = key.partition(":")
        return opinion_key(self.alias(candidate)) if stage == "opinion" and author_of(candidate) in self.numbers else None

    def attempt(self, key: str, attempt: int) -> int:
        """The number of an attempt as a viewer may know it: a later one has a higher, so that its text takes the place of the earlier.

        How many there were would tell members that often need a second try. The chairman is known to everybody anyway.
        """
        return attempt if key == SYNTHESIS else _veiled_attempt(self.secret, key, attempt)

    def draft(self, key: str, draft: Mapping[str, Any]) -> dict[str, Any]:
        """The text so far of a step."""
        return {**draft, "attempt": self.attempt(key, draft["attempt"])}

    def event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """That something happened, not to whom: seats are called in their order, so even which one was first would tell."""
        return {name: event[name] for name in OF_AN_EVENT}

    def snapshot(self, snapshot: Mapping[str, Any]) -> dict[str, Any]:
        """The state of the run, and the texts that are being written."""
        drafts = {alias: self.draft(key, draft) for key, draft in snapshot["drafts"].items() if (alias := self.key(key))}
        return {name: snapshot[name] for name in OF_A_SNAPSHOT} | {"drafts": dict(sorted(drafts.items()))}

    def message(self, text: str) -> str:
        """A live message, serialised as it came and as it goes."""
        message = json.loads(text)
        seen = {"type": message["type"], "run": message["run"]}
        if "items" in message:
            seen["items"] = sorted(
                [alias, self.attempt(key, attempt), *rest] for key, attempt, *rest in message["items"] if (alias := self.key(key))
            )
        if "event" in message:
            seen["event"] = self.event(message["event"])
        return json.dumps(seen)


@lru_cache(maxsize=1024)
def _veiled_attempt(secret: bytes, key: str, attempt: int) -> int:
    """Steps of unknown height from an unknown ground: neither a number nor the distance between two tells how many came before."""
    heights = (int.from_bytes(hmac.digest(secret, f"{key}:{step}".encode(), sha256)[:5]) for step in range(attempt + 1))
    return sum(1 + height for height in heights)


def whole_answers(steps: Iterable[RunStep]) -> list[str]:
    """The answers that are complete, as ballots name them. A broken-off text is none."""
    opinions = (step for step in steps if step.stage == Stage.OPINIONS.value)
    return [step.key.partition(":")[2] for step in opinions if step.status in _WHOLE and step.text]


def answering(run: CouncilRun) -> list[str]:
    """The agent ids of the seats that give an opinion, as they were when the run started."""
    return [seat["agent_id"] for seat in run.spec_seats() if seat["answers"]]


def answers_are_in(run: CouncilRun, steps: Iterable[RunStep]) -> bool:
    """Whether nobody is waited for any more who would give a first answer."""
    states = {step.key: step.status for step in steps}
    running = StepStatus.RUNNING.value
    return not run.is_live or all(states.get(opinion_key(agent), running) != running for agent in answering(run))


def pick_of(run: CouncilRun) -> AnswerPick | None:
    """The reader's pick, if there is one."""
    return getattr(run, "pick", None)


def _is_known_from_another_try(run: CouncilRun) -> bool:
    """Whether the reader has seen who wrote one of these answers in another try of the question that holds it too."""
    opinions = RunStep.objects.of(Stage.OPINIONS).order_by().annotate(made=Coalesce("carried_from", "pk", output_field=BigIntegerField()))
    seen = opinions.filter(run__message=run.message_id, run__pick__isnull=False)
    return seen.filter(made__in=opinions.filter(run=run).values("made")).exists()


def veil_of(run: CouncilRun) -> Veil | None:
    """The veil over a run, or ``None`` when everything may be seen.

    It is lifted for good by a pick, here or in another try that shares an answer with this one, and when the run has ended with nothing
    to compare. Reads steps only of blind runs. The order of the numbers is drawn from the run's random id: it is the same at every look,
    and says nothing about the seats.
    """
    if not run.blind or pick_of(run) is not None or _is_known_from_another_try(run):
        return None
    if not run.is_live and len(whole_answers(run.steps.all())) < ENOUGH_TO_COMPARE:
        return None
    drawn = sorted(answering(run), key=lambda agent: sha256(f"{run.public_id}:{agent}".encode()).digest())
    secret = salted_hmac("councils.veil", run.public_id, algorithm="sha256").digest()
    return Veil({agent: number for number, agent in enumerate(drawn, start=1)}, secret)
