"""What a terminal shows of a run: a pure picture, moved by the run's events and by text as it is written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from councils.engine.fences import without_controls
from councils.engine.steps import author_of, opinion_key, round_of

CHAIRMAN = "Chairman"
TAIL_LENGTH = 400

WORDS = {
    "opinion_completed": "answered",
    "opinion_failed": "gave no answer",
    "ballot_counted": "voted",
    "ballot_rejected": "cast no valid ballot",
    "ballot_failed": "cast no ballot",
    "synthesis_completed": "wrote the result",
    "synthesis_failed": "did not answer",
    "step_late": "is late and not waited for",
}
GOOD = frozenset({"opinion_completed", "ballot_counted", "synthesis_completed"})


@dataclass(slots=True)
class Line:
    """One step: who, with which model, how it stands. ``state`` is empty while it is waited for, else an event type or ``writing``."""

    key: str
    who: str
    model: str = ""
    state: str = ""
    tail: str = ""
    attempt: int = 0
    seconds: float | None = None
    note: str = ""

    @property
    def word(self) -> str:
        return WORDS.get(self.state) or ("writes" if self.state else "waits")


@dataclass(slots=True)
class Board:
    """The state of a run as far as it was told."""

    names: Mapping[str, str]
    lines: dict[str, Line] = field(default_factory=dict)
    tally: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, seats: Iterable[Mapping[str, Any]]) -> "Board":
        """The board of a run before anything has happened, from the seats of its snapshot."""
        seats = list(seats)
        board = cls({seat["agent_id"]: clean(seat["name"]) for seat in seats})
        for seat in seats:
            if seat["answers"]:
                board._line(opinion_key(seat["agent_id"]), seat["agent_id"])
        return board

    def take(self, event: Mapping[str, Any]) -> None:
        """Move the board by one event. Events of unknown types change nothing."""
        kind = event["type"]
        if kind == "tally_computed":
            self.tally = event["tally"]
        elif kind == "call_started":
            line = self._line(event["key"], event["agent_id"])
            line.state, line.model, line.note = "writing", clean(event["model"]), ""
            self._restart(line, event["attempt"])
        elif kind == "call_failed":
            self._line(event["key"], event["agent_id"]).note = clean(event["message"])
        elif kind in WORDS:
            self._conclude(event)

    def write(self, key: str, attempt: int, piece: str) -> None:
        """More text of a step. Only its end is kept: a terminal shows no more."""
        line = self.lines.get(key)
        if line is not None and line.state == "writing":
            self._restart(line, attempt)
            line.tail = (line.tail + clean(piece))[-TAIL_LENGTH:]

    def name_of(self, answer: str) -> str:
        """The author of an answer, for people; a revised one says so."""
        name = self.names.get(author_of(answer), answer)
        return f"{name} (revised)" if round_of(answer) > 1 else name

    def ballots(self) -> tuple[int, int]:
        """Valid ballots, and all that have come to an end."""
        ended = [line for line in self.lines.values() if line.key.startswith("review:") and line.state.startswith("ballot_")]
        return sum(line.state == "ballot_counted" for line in ended), len(ended)

    def _conclude(self, event: Mapping[str, Any]) -> None:
        line = self._line(event["key"], event["agent_id"])
        line.state, line.model = event["type"], clean(event["model"]) or line.model
        line.seconds = None if event["latency_ms"] is None else event["latency_ms"] / 1000
        line.note = clean(event.get("message", ""))
        line.tail = clean(event.get("text", ""))[:TAIL_LENGTH]
        if line.state == "ballot_counted":
            line.tail = self._order(event)

    def _order(self, event: Mapping[str, Any]) -> str:
        tiers = event.get("payload", {}).get("ballot", {}).get("tiers", [])
        return " > ".join(" = ".join(self.name_of(answer) for answer in tier) for tier in tiers)

    def _line(self, key: str, agent_id: str) -> Line:
        who = self.names.get(agent_id, agent_id) if agent_id else CHAIRMAN
        return self.lines.setdefault(key, Line(key, who))

    @staticmethod
    def _restart(line: Line, attempt: int) -> None:
        if attempt != line.attempt:
            line.attempt, line.tail = attempt, ""


def clean(text: str) -> str:
    """Text without control characters: what a model writes must not command the terminal."""
    return without_controls(text)
