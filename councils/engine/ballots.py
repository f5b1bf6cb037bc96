"""From a reviewer's reply to a ballot, by a ladder that never guesses.

Strict JSON → the last JSON value in the text that holds a vote → the same after ``json-repair`` → prose. Shapes are bent where the
meaning is plain (``{"T7K": 8}``, ``"8/10"``, "Response T7K"); the rung says so. Valid is a vote that names every answer shown exactly
once and none else. Two different votes in one reply are a conflict: which of them was the reviewer's own is not for us to guess.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from councils.engine.ballot_json import embedded_values, read_value, repaired_value, whole_value
from councils.engine.ballot_prose import read_prose
from councils.engine.fences import printable, without_controls
from councils.engine.readings import BallotFault, BallotProblem, Names, Reading, Unreadable
from councils.engine.types import Ballot, BallotRung, Verdict

__all__ = ["BallotProblem", "read_ballot", "strip_reasoning"]

# A reply longer than this is read from its end, where a vote stands.
READ_LIMIT = 256 * 1024

_TAG = re.compile(r"<(?P<closing>/?)(?P<name>think|thinking|reasoning|thought|reflection)>", re.IGNORECASE)


# Stands where a copied ballot was; no rung reads anything into it.
_COPIED = "(copied)"


def strip_reasoning(text: str) -> str:
    """The reply without its reasoning blocks; one that was never closed was cut while thinking, and nothing of it is left."""
    kept: list[str] = []
    start, opening = 0, None
    for tag in _TAG.finditer(text):
        if opening is None:
            if not tag["closing"]:
                opening = tag
            elif start == 0:
                # The chat template had opened the block before the reply began.
                start = tag.end()
        elif tag["closing"] and tag["name"].lower() == opening["name"].lower():
            kept.append(text[start : opening.start()])
            start, opening = tag.end(), None
    before = "".join(kept)
    if opening is not None and not (before + text[start : opening.start()]).strip():
        return ""
    return (before + text[start:]).strip()


def read_ballot(
    text: str | None, *, labels: Mapping[str, str], reviewer: str, weight: float, quoted: Sequence[str] = ()
) -> Ballot | BallotProblem:
    """The ballot in a reply, or why there is none.

    ``labels`` maps what the reviewer was shown to the answers; ``quoted`` are the answers' texts: a vote that stands in one of them
    was copied, not cast. Never raises, whatever the text.
    """
    if not labels:
        return BallotProblem(BallotFault.NO_BALLOT, "There was nothing to judge.")
    names = Names(labels)
    try:
        rung, reading = _climb(_own_words(text or "", names, quoted), names, quoted)
    except Unreadable as unreadable:
        return unreadable.problem
    return _ballot(reading, rung, labels, reviewer, weight)


def _own_words(text: str, names: Names, quoted: Sequence[str]) -> str:
    """The reply without its reasoning, and without JSON ballots that were copied from an answer."""
    reply = strip_reasoning(printable(text)[-READ_LIMIT:])
    if not reply:
        raise Unreadable(BallotFault.EMPTY, "The reply is empty.")
    for value, piece in list(embedded_values(reply)):
        if _is_quoted(piece, quoted) and _is_vote(value, names):
            reply = reply.replace(piece, _COPIED)
    return reply


def _is_vote(value: Any, names: Names) -> bool:
    try:
        return read_value(value, names) is not None
    except Unreadable:
        return False


def _climb(reply: str, names: Names, quoted: Sequence[str]) -> tuple[BallotRung, Reading]:
    """The first rung that yields a vote. If none does, the fault on the strictest rung that saw one says most."""
    problems = []
    for rung, read in _ladder(reply, names):
        try:
            reading = _only(list(read()), quoted)
        except Unreadable as unreadable:
            if unreadable.problem.kind is BallotFault.CONFLICT:
                raise
            problems.append(unreadable)
        else:
            if reading is not None:
                return BallotRung.COERCED if reading.coerced and rung is not BallotRung.PROSE else rung, reading
    if problems:
        raise problems[0]
    if _COPIED in reply:
        raise Unreadable(BallotFault.QUOTED, "The only vote in the reply was copied from an answer.")
    raise Unreadable(BallotFault.NO_BALLOT, "There are no rankings in the reply.")


def _ladder(reply: str, names: Names) -> Iterator[tuple[BallotRung, Callable[[], Iterable[Reading]]]]:
    yield BallotRung.STRICT, lambda: _strict(reply, names)
    yield BallotRung.EMBEDDED, lambda: _embedded(reply, names)
    yield BallotRung.REPAIRED_JSON, lambda: _repaired(reply, names)
    yield BallotRung.PROSE, lambda: read_prose(reply, names)


def _strict(reply: str, names: Names) -> Iterator[Reading]:
    reading = read_value(whole_value(reply), names)
    if reading is not None:
        yield _sourced(reading, reply)


def _embedded(reply: str, names: Names) -> Iterator[Reading]:
    """All valid votes in the text; the problem of the last invalid one if there is no valid one."""
    problem, any_valid = None, False
    for value, piece in embedded_values(reply):
        try:
            reading = read_value(value, names)
        except Unreadable as unreadable:
            problem = unreadable
            continue
        if reading is not None:
            any_valid = True
            yield _sourced(reading, piece)
    if problem and not any_valid:
        raise problem


def _repaired(reply: str, names: Names) -> Iterator[Reading]:
    value, piece = repaired_value(reply)
    reading = read_value(value, names, scores_required=True)
    if reading is not None:
        yield _sourced(reading, piece)


def _sourced(reading: Reading, piece: str) -> Reading:
    return Reading(reading.tiers, reading.scores, reading.reasons, reading.coerced, piece)


def _only(readings: Sequence[Reading], quoted: Sequence[str]) -> Reading | None:
    """The one vote among these; ``Unreadable`` if the reviewer's own cannot be told."""
    own = [reading for reading in readings if not _is_quoted(reading.source, quoted)]
    if readings and not own:
        raise Unreadable(BallotFault.QUOTED, "The only vote in the reply was copied from an answer.")
    if len({reading.vote() for reading in own}) > 1:
        raise Unreadable(BallotFault.CONFLICT, "The reply holds two different votes.")
    return own[-1] if own else None


def _is_quoted(source: str, quoted: Sequence[str]) -> bool:
    needle = "".join(source.split())
    return any(needle in "".join(text.split()) for text in quoted)


def _ballot(reading: Reading, rung: BallotRung, labels: Mapping[str, str], reviewer: str, weight: float) -> Ballot:
    order = [label for tier in reading.tiers for label in tier]
    return Ballot(
        reviewer=reviewer,
        tiers=tuple(tuple(labels[label] for label in tier) for tier in reading.tiers),
        weight=weight,
        verdicts=tuple(
            Verdict(agent_id=labels[label], score=reading.scores.get(label), reasoning=without_controls(reading.reasons.get(label, "")))
            for label in order
        ),
        rung=rung,
    )
