"""What a model name asks the fake provider to do."""

from collections import Counter
from dataclasses import dataclass, fields, replace
from typing import Any

# Answered with a status instead of an answer.
STATUS_FAULTS = {
    "400": 400,
    "401": 401,
    "402": 402,
    "403": 403,
    "404": 404,
    "413": 413,
    "422": 422,
    "429": 429,
    "429_date": 429,
    "429_garbage": 429,
    "429_huge": 429,
    "429_bare": 429,
    "500": 500,
    "502": 502,
    "503": 503,
    "529": 529,
    "context": 400,
    "structure": 400,
    "redirect": 302,
    "echo_key": 401,
}
# Before or instead of a status line.
SOCKET_FAULTS = frozenset({"reset", "hang", "no_http"})
# The beginning of an answer (``after`` tokens of it), then this for ever or to the end.
BROKEN_FAULTS = frozenset(
    {"reset_mid", "cut", "eof", "hang_headers", "drip", "comments", "malformed_flood", "error_event", "oversize", "gzip_bomb", "empty"}
)
# A whole answer with something odd in it.
ODD_FAULTS = frozenset(
    (
        "malformed",
        "no_choices",
        "null_content",
        "other_model",
        "length",
        "filter",
        "refusal",
        "json",
        "echo_key_text",
        "reasoning",
        "no_done",
    )
)
FAULTS = frozenset(STATUS_FAULTS) | SOCKET_FAULTS | BROKEN_FAULTS | ODD_FAULTS
VOTES = frozenset({"chance", "agree"})
USAGES = frozenset({"true", "missing", "negative", "string", "bool", "absurd", "lying", "null"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How one request is answered. Times in seconds, ``rate`` in tokens a second (0: all at once)."""

    tokens: int = 20
    rate: float = 0.0
    ttft: float = 0.0
    fault: str = ""
    after: int = 2
    fail_first: int = 0
    retry_after: str = "1"
    every: float = 0.05
    usage: str = "true"
    vote: str = "chance"
    slow_every: int = 0
    slow_by: float = 10.0
    name: str = ""

    def for_call(self, number: int) -> "Behaviour":
        """The behaviour of call ``number`` (from 0) to this model: the fault may be over, or this call may be one of the slow ones."""
        faulty = not self.fail_first or number < self.fail_first
        slow = self.slow_by if self.slow_every and number % self.slow_every == self.slow_every - 1 else 1.0
        return replace(self, fault=self.fault if faulty else "", rate=self.rate / slow, ttft=self.ttft * slow)


TYPES = {"int": int, "float": float, "str": str, int: int, float: float, str: str}


def parse(model: str) -> Behaviour:
    """Read ``fake:key=value,key=value``; any other name behaves by default. ``ValueError`` for a key or a value that is unknown."""
    _, found, settings = model.partition("fake:")
    kinds = {field.name: TYPES[field.type] for field in fields(Behaviour) if field.type in TYPES}
    values: dict[str, Any] = {}
    for setting in filter(None, settings.split(",") if found else []):
        key, _, value = setting.partition("=")
        if key not in kinds:
            raise ValueError(f"unknown setting {key!r}")
        values[key] = kinds[key](value)
    behaviour = Behaviour(**values)
    if behaviour.fault and behaviour.fault not in FAULTS:
        raise ValueError(f"unknown fault {behaviour.fault!r}")
    if behaviour.usage not in USAGES:
        raise ValueError(f"unknown usage {behaviour.usage!r}")
    if behaviour.vote not in VOTES:
        raise ValueError(f"unknown vote {behaviour.vote!r}")
    return behaviour


class Behaviours:
    """The behaviour of each call, counted by model name; names are parsed once."""

    def __init__(self) -> None:
        self._parsed: dict[str, Behaviour] = {}
        self._calls: Counter[str] = Counter()

    def next(self, model: str) -> Behaviour:
        """The behaviour of the next call to ``model``."""
        if model not in self._parsed:
            self._parsed[model] = parse(model)
        number = self._calls[model]
        self._calls[model] += 1
        return self._parsed[model].for_call(number)
