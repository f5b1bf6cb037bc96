"""Small makers for the provider tests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx

from benchmarks.fake.server import Entry, Running
from councils.engine.ports import ChatProvider
from councils.engine.types import ChatMessage, Completion, CompletionRequest, Deadlines, Delta
from councils.providers.endpoint import Endpoint, EndpointKind
from councils.providers.factory import provider_for
from councils.providers.streaming import HttpProvider

KEY = "sk-test-0123456789abcdef"
PATIENT = Deadlines(connect_s=5, first_token_s=20, idle_s=20, total_s=30)
# Short enough not to hold the suite up; every fault that waits for one of these waits for nothing else.
HASTY = Deadlines(connect_s=5, first_token_s=0.3, idle_s=0.3, total_s=0.9)

SCHEMA = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"], "additionalProperties": False}


def request(model: str = "some-model", prompt: str = "Which is best?", **changes: Any) -> CompletionRequest:
    """A request of one user message."""
    changes.setdefault("deadlines", PATIENT)
    return CompletionRequest(model=model, messages=(ChatMessage(role="user", content=prompt),), **changes)


def mock_provider(
    answer: Callable[[httpx.Request], httpx.Response], kind: EndpointKind = EndpointKind.OPENAI, **changes: Any
) -> HttpProvider:
    """A provider whose requests ``answer`` answers, without a socket."""
    endpoint = Endpoint(base_url="https://models.example/v1", kind=kind, **{"api_key": KEY, **changes})
    return provider_for(endpoint, httpx.AsyncClient(transport=httpx.MockTransport(answer)))


async def collect(provider: ChatProvider, asked: CompletionRequest) -> tuple[list[str], Completion]:
    """The deltas and the completion of one call; fails unless the completion is the last thing and the only one."""
    parts = [part async for part in provider.stream(asked)]
    *deltas, completion = parts
    assert isinstance(completion, Completion)
    assert all(isinstance(delta, Delta) for delta in deltas)
    return [delta.text for delta in deltas if isinstance(delta, Delta)], completion


class ByteStream(httpx.AsyncByteStream):
    """A body in pieces; an exception among them is raised when its turn comes."""

    def __init__(self, pieces: Sequence[bytes | Exception]) -> None:
        self._pieces = pieces
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def aclose(self) -> None:
        self.closed = True


async def logged(fake: Running, model: str) -> Entry:
    """The server's log entry of the call to ``model``, waited for."""
    return await asyncio.to_thread(fake.wait_for_entry, model)
