"""How the terminal shows a run: moving on a terminal, plain lines elsewhere, JSON for programs."""

import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from councils.engine.types import Mark
from councils.formatting import counted, duration, figure, number, usd
from councils.management.board import GOOD, WORDS, Board, Line, clean

FRAMES_PER_S = 8

Print = Callable[[str], object]
"""Writes one line and sees to it that it leaves."""

HEADINGS = {"opinion": "1 · Opinions", "review": "2 · Review", "synthesis": "3 · Result"}


class Screen(Protocol):
    """Shows the board. ``show`` is called with each event after the board has taken it, and with ``None`` for new text."""

    def __enter__(self) -> "Screen": ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, board: Board, event: Mapping[str, Any] | None) -> None: ...

    def finish(self, board: Board, end: Mapping[str, Any]) -> None:
        """The run has ended: show the result."""


class PlainScreen:
    """A line for each thing that has happened, on ``progress``; the answer alone on ``out``, so that it can be piped on."""

    def __init__(self, out: Print, progress: Print) -> None:
        self.out, self.progress = out, progress

    def __enter__(self) -> "PlainScreen":
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to put back."""

    def show(self, board: Board, event: Mapping[str, Any] | None) -> None:
        sentence = tell(board, event) if event is not None else ""
        if sentence:
            self.progress(sentence)

    def finish(self, board: Board, end: Mapping[str, Any]) -> None:
        self.progress(summary(end))
        if end.get("answer"):
            self.out(clean(end["answer"]))


class JsonScreen:
    """The events of the run, one JSON object a line; the last one holds the answer."""

    def __init__(self, out: Print) -> None:
        self.out = out

    def __enter__(self) -> "JsonScreen":
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to put back."""

    def show(self, board: Board, event: Mapping[str, Any] | None) -> None:
        if event is not None:
            self.out(json.dumps(event))

    def finish(self, board: Board, end: Mapping[str, Any]) -> None:
        """The last event has said it all."""


class LiveScreen:
    """A picture that moves: a row per seat with the end of its text, then the votes, then the answer as Markdown."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = Live(console=console, refresh_per_second=FRAMES_PER_S, vertical_overflow="crop")

    def __enter__(self) -> "LiveScreen":
        self.live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.__exit__(None, None, None)

    def show(self, board: Board, event: Mapping[str, Any] | None) -> None:
        self.live.update(picture(board))

    def finish(self, board: Board, end: Mapping[str, Any]) -> None:
        self.live.update(picture(board), refresh=True)
        self.live.stop()
        self.console.print(Rule(style="dim"))
        if end.get("answer"):
            # Links are shown as text: where they lead must be seen before they are followed.
            self.console.print(Markdown(clean(end["answer"]), hyperlinks=False))
            self.console.print(Rule(style="dim"))
        self.console.print(Text(summary(end), style="bold" if end["status"] == "succeeded" else "yellow"))


def picture(board: Board) -> RenderableType:
    """The board as it stands."""
    parts: list[RenderableType] = []
    for kind, heading in HEADINGS.items():
        lines = [line for line in board.lines.values() if line.key.partition(":")[0] == kind]
        if lines:
            parts += [Text(heading, style="bold"), _table(lines)]
        if kind == "review" and board.tally is not None:
            parts.append(Text(f"  {verdict(board, board.tally)}", style="cyan"))
    return Group(*parts)


def _table(lines: Iterable[Line]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=True, expand=True)
    table.add_column(no_wrap=True, width=20, overflow="ellipsis")
    table.add_column(no_wrap=True, width=16, overflow="ellipsis")
    table.add_column(no_wrap=True, width=8, justify="right")
    table.add_column(no_wrap=True, ratio=1)
    for line in lines:
        time = "" if line.seconds is None else duration(line.seconds * 1000)
        table.add_row(Text(line.who), Text(line.word, style=_style(line)), Text(time, style="dim"), Text(_excerpt(line), style="dim"))
    return table


def _style(line: Line) -> str:
    if not line.state:
        return "dim"
    return "blue" if line.state == "writing" else "green" if line.state in GOOD else "yellow"


def _excerpt(line: Line) -> str:
    """What fits beside a seat: why it stands as it does, else the end of what it writes or the beginning of what it wrote."""
    if line.note:
        return line.note
    if line.state == "writing":
        # A ballot is JSON until it is read: nothing to look at.
        return "" if line.key.startswith("review:") else " ".join(line.tail.split())[-60:]
    return " ".join(line.tail.split())


def tell(board: Board, event: Mapping[str, Any]) -> str:
    """One event as a sentence; empty for those that a log need not hold."""
    kind = event["type"]
    if kind == "tally_computed":
        return verdict(board, event["tally"])
    if kind == "call_failed" and event["retry_in_s"] is not None:
        line = board.lines[event["key"]]
        return f"{line.who} is asked again in {event['retry_in_s']:.0f} s: {line.note}"
    if kind == "run_resumed":
        return "The run goes on in another process."
    return _outcome(board.lines.get(event.get("key", "")), kind)


def _outcome(line: Line | None, kind: str) -> str:
    if line is None or line.state != kind or kind not in WORDS:
        return ""
    time = "" if line.seconds is None else f" ({duration(line.seconds * 1000)})"
    order = f": {line.tail}" if kind == "ballot_counted" else ""
    note = f": {line.note}" if line.note else ""
    return f"{line.who} {line.word}{time}{order}{note}"


def verdict(board: Board, tally: Mapping[str, Any]) -> str:
    """The tally in a sentence."""
    agreement = tally["agreement"]
    score = "" if agreement["score"] is None else f" ({figure(agreement['score'])})"
    parts = [
        f"First choice: {board.name_of(tally['winner'])}, by {tally['counted']} of {tally['cast']} ballots",
        f"agreement {agreement['word']}{score}",
        *(["the methods disagree"] if tally["contested"] else []),
    ]
    return "; ".join(parts) + "."


def summary(end: Mapping[str, Any]) -> str:
    """The end of a run in a line: status, reason, tokens, cost."""
    cost = usd(Decimal(str(end["known_cost_usd"])))
    if end["unknown_costs"]:
        cost += f" and {counted(end['unknown_costs'], 'call')} of unknown cost"
    tokens = end["prompt_tokens"] + end["completion_tokens"]
    cut = " The answer was cut off at the limit on its length." if Mark.CUT in end.get("marks", ()) else ""
    return f"{end['status'].capitalize()}. {clean(end['reason'])}{cut} {number(tokens)} tokens, {cost}."
