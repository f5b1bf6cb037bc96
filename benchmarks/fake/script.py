"""The course of one answer: which bytes go out when, and how it ends."""

import gzip
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import Enum, auto
from functools import cache
from typing import Any, NamedTuple

from benchmarks.fake.behaviour import BROKEN_FAULTS, SOCKET_FAULTS, STATUS_FAULTS, Behaviour
from benchmarks.fake.wire import Ask, Counts, Wire, wire_for
from benchmarks.fake.wording import answer_pieces, cut

OTHER_MODEL = "another-model-than-asked"
BOMB_BYTES = 200_000_000
OVERSIZE_PIECE = "x" * 10_000
OVERSIZE_PIECES = 2_000
MESSAGES = {
    "context": ("context_length_exceeded", "This model's maximum context length is 8 tokens. Please reduce the length of the messages."),
    "structure": ("invalid_request_error", "response_format json_schema, format and tools are not supported by this model"),
    "401": ("authentication_error", "Invalid key"),
    "404": ("not_found_error", "model not found, try pulling it first"),
    "429": ("rate_limit_error", "Slow down"),
    "529": ("overloaded_error", "Overloaded"),
}
FINISH_OF_FAULT = {"length": "length", "filter": "content_filter", "refusal": "refusal"}


class Ending(Enum):
    """What happens after the last frame."""

    COMPLETE = auto()  # the body ends as HTTP says; the connection is kept
    CUT = auto()  # the connection closes in the middle of the body
    RESET = auto()
    HANG = auto()


class Frame(NamedTuple):
    """Bytes that go out ``due`` seconds after the request came."""

    due: float
    data: bytes
    tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One answer. A ``status`` of 0 sends no head. With ``length`` the body is sent as it is, else in chunks as it comes."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    frames: Iterator[Frame]
    ending: Ending = Ending.COMPLETE
    length: int | None = None
    fault: str = ""
    head_first: bool = False


def script_for(ask: Ask, behaviour: Behaviour, key: str) -> Script:
    """The script of one request; ``key`` is the secret that came with it."""
    fault = behaviour.fault
    if fault in STATUS_FAULTS:
        return _status_script(ask, behaviour, key)
    if fault in SOCKET_FAULTS:
        return _socket_script(fault)
    if fault == "gzip_bomb":
        bomb = _bomb()
        return Script(headers=(("content-encoding", "gzip"),), frames=iter([Frame(0, bomb)]), length=len(bomb), fault=fault)
    if fault in BROKEN_FAULTS:
        return _broken_script(ask, behaviour)
    wire = wire_for(ask, OTHER_MODEL if fault == "other_model" else ask.model)
    if not ask.stream or fault == "json":
        return _whole_script(ask, behaviour, wire)
    return Script(headers=(("content-type", wire.content_type),), frames=_answer(ask, behaviour, wire, key), fault=fault)


def problem(dialect: str, status: int, *, kind: str, message: str, headers: tuple[tuple[str, str], ...] = (), fault: str = "") -> Script:
    """An error with a status, in the manner of the dialect."""
    body = wire_for(Ask(dialect=dialect, model="", prompt="", stream=False, schema=None), "").problem(kind, message)
    shown = (("content-type", "application/json"), *headers)
    return Script(status=status, headers=shown, frames=iter([Frame(0, body)]), length=len(body), fault=fault)


def _status_script(ask: Ask, behaviour: Behaviour, key: str) -> Script:
    fault = behaviour.fault
    kind, message = MESSAGES.get(fault.partition("_")[0], ("invalid_request_error", f"Fault {fault} as ordered"))
    headers: tuple[tuple[str, str], ...] = ()
    match fault:
        case "429" | "503":
            headers = (("retry-after", behaviour.retry_after),)
        case "429_date":
            when = datetime.now(UTC) + timedelta(seconds=float(behaviour.retry_after))
            headers = (("retry-after", format_datetime(when, usegmt=True)),)
        case "429_garbage":
            headers = (("retry-after", "soon, perhaps"),)
        case "429_huge":
            headers = (("retry-after", "86400"),)
        case "redirect":
            headers = (("location", "http://169.254.169.254/latest/meta-data/"),)
        case "echo_key":
            message = f"Incorrect key provided: {key}\r\n\x1b[31mred\x1b[0m"
    return problem(ask.dialect, STATUS_FAULTS[fault], kind=kind, message=message, headers=headers, fault=fault)


def _socket_script(fault: str) -> Script:
    if fault == "no_http":
        return Script(status=0, frames=iter([Frame(0, b"SSH-2.0-OpenSSH_9.6\r\n")]), ending=Ending.CUT, fault=fault)
    return Script(status=0, frames=iter(()), ending=Ending.RESET if fault == "reset" else Ending.HANG, fault=fault)


def _broken_script(ask: Ask, behaviour: Behaviour) -> Script:
    wire = wire_for(ask, ask.model)
    endings = {"reset_mid": Ending.RESET, "cut": Ending.CUT, "hang_headers": Ending.HANG}
    return Script(
        headers=(("content-type", wire.content_type),),
        frames=_broken(ask, behaviour, wire),
        ending=endings.get(behaviour.fault, Ending.COMPLETE),
        fault=behaviour.fault,
        head_first=True,
    )


def _broken(ask: Ask, behaviour: Behaviour, wire: Wire) -> Iterator[Frame]:
    fault, now = behaviour.fault, behaviour.ttft
    if fault == "hang_headers":
        return
    counts = _counts(ask, behaviour, 0)
    yield Frame(now, wire.begin(counts))
    if fault == "empty":
        yield Frame(now, wire.finish("stop", counts) + wire.terminal())
        return
    pieces = _pieces(ask, behaviour)
    for text in pieces[: behaviour.after]:
        yield Frame(now, wire.piece(text), 1)
    yield from (Frame(now + due, data, tokens) for due, data, tokens in _ruin(fault, behaviour.every, wire))
    if fault in ("malformed_flood", "oversize"):
        yield Frame(now, wire.finish("stop", counts) + wire.terminal())


def _ruin(fault: str, every: float, wire: Wire) -> Iterator[Frame]:
    """What comes after the good beginning."""
    match fault:
        case "drip":
            # Bytes of a comment, one by one: something always arrives, and never any text.
            for place, byte in enumerate(itertools.cycle(b":" + b"x" * 500 + b"\n")):
                yield Frame(place * every, bytes([byte]))
        case "comments":
            for place in itertools.count():
                yield Frame(place * every, wire.comment())
        case "malformed_flood":
            yield from (Frame(0, wire.malformed()) for _ in range(10))
        case "error_event":
            yield Frame(0, wire.error("The model crashed, as ordered"))
        case "oversize":
            yield from (Frame(0, wire.piece(OVERSIZE_PIECE), 2_500) for _ in range(OVERSIZE_PIECES))


def _answer(ask: Ask, behaviour: Behaviour, wire: Wire, key: str) -> Iterator[Frame]:
    fault = behaviour.fault
    pieces = cut(f"Your key is {key} is it not", behaviour.tokens) if fault == "echo_key_text" else _pieces(ask, behaviour)
    counts = _counts(ask, behaviour, len(pieces))
    step = 1 / behaviour.rate if behaviour.rate else 0.0
    odd = {"malformed": wire.malformed, "no_choices": wire.empty, "null_content": wire.null}.get(fault)
    yield Frame(behaviour.ttft, wire.begin(counts) + (wire.reasoning("let me think") if fault == "reasoning" else b""))
    if fault == "refusal" and ask.dialect == "openai":
        yield Frame(behaviour.ttft, wire.refusal("I will not do that."), 1)
        pieces = []
    for place, text in enumerate(pieces):
        if odd is not None and place in (1, 2):
            yield Frame(behaviour.ttft + place * step, odd())
        yield Frame(behaviour.ttft + place * step, wire.piece(text), 1)
    terminal = b"" if fault == "no_done" else wire.terminal()
    yield Frame(behaviour.ttft + len(pieces) * step, wire.finish(FINISH_OF_FAULT.get(fault, "stop"), counts) + terminal)


def _whole_script(ask: Ask, behaviour: Behaviour, wire: Wire) -> Script:
    pieces = _pieces(ask, behaviour)
    body = wire.whole("".join(pieces), FINISH_OF_FAULT.get(behaviour.fault, "stop"), _counts(ask, behaviour, len(pieces)))
    due = behaviour.ttft + (len(pieces) / behaviour.rate if behaviour.rate else 0.0)
    frames = iter([Frame(due, body, len(pieces))])
    return Script(headers=(("content-type", "application/json"),), frames=frames, length=len(body), fault=behaviour.fault)


def _pieces(ask: Ask, behaviour: Behaviour) -> list[str]:
    return answer_pieces(ask.model, ask.prompt, ask.schema, tokens=behaviour.tokens, agree=behaviour.vote == "agree")


def _counts(ask: Ask, behaviour: Behaviour, written: int) -> Counts:
    prompt = len(ask.prompt) // 4 + 1
    told: dict[str, tuple[Any, Any]] = {
        "missing": (None, None),
        "null": ("null", "null"),
        "negative": (-prompt, -written),
        "string": (str(prompt), str(written)),
        "bool": (True, False),
        "absurd": (10**15, 10**15),
        "lying": (prompt, written * 7),
    }
    shown_prompt, shown_completion = told.get(behaviour.usage, (prompt, written))
    return Counts(prompt=shown_prompt, completion=shown_completion)


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(BOMB_BYTES), compresslevel=9)
