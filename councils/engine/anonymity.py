"""Who wrote what stays unknown to those who judge it: opaque labels, a balanced order per reviewer, names taken out of the text."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256

from councils.engine.fences import sanitise
from councils.engine.panel import Steps, candidates, seen_by
from councils.engine.steps import agent_of, author_of, round_of
from councils.engine.types import CouncilSpec

# Letters and digits that cannot be mistaken for one another and spell no word; letters alone would carry a prior ("A is best").
_LETTERS = "CDFGHJKLMNPQRTVWX"
_DIGITS = "34679"
_MIN_NAME = 3

_ASSISTANTS = r"ChatGPT|GPT-?\d[\w.]*|Claude|Gemini|Gemma|Llama|Qwen|Mistral|DeepSeek|Grok|Phi|SmolLM\d?"
_SELF_INTRODUCTION = re.compile(rf"\b(?P<lead>(?:as|i am|i['’]m|my name is|this is)\s+)(?:{_ASSISTANTS})\b", re.IGNORECASE)
MEMBER = "a member"


def _digest(*parts: object) -> int:
    return int(sha256(":".join(map(str, parts)).encode()).hexdigest(), 16)


def display_order(spec: CouncilSpec, key: str, steps: Steps) -> tuple[str, ...]:
    """The answers that the reviewer of this step sees, in the order it sees them.

    Around the table: the first-round answers lie in a seeded circle, and each author reads the others at the same seeded distances
    from its own. So over a full panel each answer stands in each place exactly once, and no answer always follows the same other.
    Reviewers without an answer of their own start at different points of the circle. The revisions of an extra round are shuffled in.
    """
    agent_id, round_ = agent_of(key), round_of(key)
    circle = sorted(candidates(spec, steps), key=lambda c: _digest(spec.seed, "circle", c))
    size = len(circle)
    if agent_id in circle:
        start, distances = circle.index(agent_id), list(range(1, size))
    else:
        outside = [seat.agent_id for seat in spec.reviewing() if seat.agent_id not in circle]
        start, distances = outside.index(agent_id) if agent_id in outside else 0, list(range(size))
    distances.sort(key=lambda distance: _digest(spec.seed, "distance", distance))
    first = [circle[(start + distance) % size] for distance in distances]
    standing = candidates(spec, steps, round_)
    if len(standing) == size:
        return tuple(first)
    return tuple(sorted(seen_by(agent_id, standing), key=lambda c: _digest(spec.seed, "shuffle", key, c)))


def make_labels(spec: CouncilSpec, key: str, shown: Sequence[str]) -> dict[str, str]:
    """Label → answer, in the order shown. Opaque and of this step only; the agents' own ids where the council is not anonymous."""
    if not spec.anonymous:
        return {candidate.replace(":", "-"): candidate for candidate in shown}
    labels: dict[str, str] = {}
    for candidate in shown:
        labels[_free_label(f"{spec.seed}:label:{key}:{candidate}", labels)] = candidate
    return labels


def _free_label(source: str, taken: dict[str, str]) -> str:
    """A label whose first letter no other label has, as long as letters last: similar labels would be mixed up."""
    used = {label[0] for label in taken} if len(taken) < len(_LETTERS) else set()
    number = 0
    while True:
        first, digit, last = sha256(f"{source}:{number}".encode()).digest()[:3]
        label = _LETTERS[first % len(_LETTERS)] + _DIGITS[digit % len(_DIGITS)] + _LETTERS[last % len(_LETTERS)]
        if label not in taken and label[0] not in used:
            return label
        number += 1


def judged_text(spec: CouncilSpec, text: str) -> str:
    """What a member wrote, as others see it: sanitised, and where the council is anonymous without names.

    Names are those of seats, agents and models, and introductions such as "As ChatGPT".
    """
    if not spec.anonymous:
        return sanitise(text)
    loose = [name for seat in spec.seats for name in (seat.agent_id, seat.model, *seat.fallbacks)]
    return _nameless(_telling(seat.name for seat in spec.seats), _telling((*loose, *spec.chairman)), text)


def _telling(names: Iterable[str]) -> tuple[str, ...]:
    # Short keys and bare numbers are left: taking every "3" out of an answer would spoil it and hide nothing.
    return tuple(sorted({name for name in names if len(name) >= _MIN_NAME and not name.isdecimal()}, key=lambda n: (-len(n), n)))


# All reviewers of a run and its chairman read the same answers, one after the other.
@lru_cache(maxsize=128)
def _nameless(exact: tuple[str, ...], loose: tuple[str, ...], text: str) -> str:
    text = _SELF_INTRODUCTION.sub(rf"\g<lead>{MEMBER}", sanitise(text))
    return _without(exact, _without(loose, text, re.IGNORECASE), re.NOFLAG)


def _without(names: tuple[str, ...], text: str, flags: re.RegexFlag) -> str:
    return re.sub(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)", MEMBER, text, flags=flags) if names else text


def byline(spec: CouncilSpec, candidate: str) -> str:
    """Who wrote this answer, where the council is not anonymous."""
    return "" if spec.anonymous else f"Written by {spec.seat(author_of(candidate)).name}:\n"
