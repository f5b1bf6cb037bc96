"""Streams of the three dialects after all kinds of accidents: each must end in a completion or in an error of our tree, never in another.

    python -m benchmarks.mutations --streams 20000 --seed 1

Prints how the answers ended. Whatever else is raised ends the command with the stream that did it.
"""

import argparse
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson

from councils.engine.errors import ProviderError
from councils.engine.types import ChatMessage, Completion, CompletionRequest
from councils.providers.answer import AnswerReader
from councils.providers.endpoint import EndpointKind
from councils.providers.factory import DIALECTS

TOKENS = (
    *(b"null", b"{}", b"[]", b'""', b"1e999", b"-1", b"true", b"\x00", b"\xff\xfe", b"\n", b"\r", b"data:", b"error", b"{", b'"error":'),
    *(b"event: error\n", b'"\\ud800"', b"[" * 300, b"9" * 400, b'{"error":{"code":429}}', b"[DONE]", b'"finish_reason":"', b"\xe2\x98"),
)
WORDS = (b'"Blue"', b"[{", b'"m"', b"9", b"4", b"false", b'"stop"', b'"end_turn"', b'"text_delta"', b'{"content"', b"[]")
"""What stands in a healthy stream and may be another thing."""


def sse(*events: Any) -> bytes:
    """Server-sent events of these objects; bytes go as they are."""
    return b"".join(b"data: " + (event if isinstance(event, bytes) else orjson.dumps(event)) + b"\n\n" for event in events)


def lines(*events: Any) -> bytes:
    return b"".join(orjson.dumps(event) + b"\n" for event in events)


def delta(finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


HEALTHY = {
    EndpointKind.OPENAI: sse(
        delta(role="assistant", content=""),
        delta(content="Blue"),
        delta(content=" sky ☃."),
        delta("stop"),
        {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}},
        b"[DONE]",
    ),
    EndpointKind.OLLAMA: lines(
        {"model": "m", "message": {"role": "assistant", "content": "Blue"}, "done": False},
        {"model": "m", "message": {"role": "assistant", "content": " sky ☃."}, "done": False},
        {"model": "m", "message": {"content": ""}, "done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 4},
    ),
    EndpointKind.ANTHROPIC: sse(
        {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 9, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Blue"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " sky ☃."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ),
}
"""One short answer, whole, in each dialect."""


def read(kind: EndpointKind, chunks: list[bytes], request: CompletionRequest, secrets: tuple[str, ...] = ()) -> Completion:
    """The completion of an answer in these chunks. Raises as the provider would."""
    reader = AnswerReader(DIALECTS[kind], request, secrets)
    text = ""
    for chunk in chunks:
        if not reader.done and reader.failure is None:
            text += reader.feed(chunk)
    if not reader.done and reader.failure is None:
        text += reader.close()
    if reader.failure is not None:
        raise reader.failure
    completion = reader.completion(latency_ms=1, first_token_ms=1)
    if completion.text != text:
        raise RuntimeError("what was shown is not what was kept")
    return completion


def mutated(stream: bytes, chance: random.Random) -> bytes:
    """``stream`` after one to six accidents."""
    for _ in range(chance.randint(1, 6)):
        start, end = sorted(chance.choices(range(len(stream) + 1), k=2))
        end = min(end, start + chance.choice([1, 4, 60]))
        match chance.randrange(6):
            case 0:
                stream = stream[:start] + stream[end:]
            case 1:
                stream = stream[:start] + stream[start:end] * 3 + stream[end:]
            case 2:
                stream = stream[:start] + chance.choice(TOKENS) + stream[end:]
            case 3:
                stream = stream[:start] + chance.randbytes(end - start) + stream[end:]
            case 4:
                stream = stream[:end]
            case _:
                # The right place, and something of another kind in it: this goes deepest.
                words = [word for word in WORDS if word in stream]
                stream = stream.replace(chance.choice(words), chance.choice(TOKENS), 1) if words else stream
    return stream


def cut(stream: bytes, chance: random.Random) -> list[bytes]:
    """``stream`` in chunks of any size."""
    ends = sorted(chance.choices(range(len(stream) + 1), k=chance.randrange(6)))
    return [stream[start:end] for start, end in zip([0, *ends], [*ends, len(stream)], strict=True)]


def outcomes(kind: EndpointKind, streams: int, seed: str) -> Iterator[type]:
    """How so many mutated streams of one dialect end, the same every time for the same seed."""
    chance = random.Random(f"{seed} {kind}")
    for _ in range(streams):
        chunks = cut(mutated(HEALTHY[kind], chance), chance)
        # A small cap as well, so that answers are cut.
        request = CompletionRequest(model="m", messages=(ChatMessage(role="user", content="?"),), max_chars=chance.choice([3, 50_000]))
        try:
            yield type(read(kind, chunks, request))
        except ProviderError as error:
            yield type(error)
        except Exception as error:
            raise RuntimeError(f"{kind}: {type(error).__name__} on {chunks!r}") from error


def main() -> None:
    parser = argparse.ArgumentParser(description="Read streams after accidents; see the docstring of this file.")
    parser.add_argument("--streams", type=int, default=20_000, help="of each dialect")
    parser.add_argument("--seed", default="1")
    arguments = parser.parse_args()
    for kind in EndpointKind:
        started = time.perf_counter()
        ends = Counter(end.__name__ for end in outcomes(kind, arguments.streams, arguments.seed))
        told = ", ".join(f"{name} {times}" for name, times in ends.most_common())
        print(f"{kind:10} {arguments.streams} streams in {time.perf_counter() - started:.1f} s: {told}", flush=True)


if __name__ == "__main__":
    main()
