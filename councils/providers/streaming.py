"""One call over HTTP: sends the request, holds the deadlines, turns every failure into a ``ProviderError``."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import cast

import httpx
import orjson

from councils.engine.errors import AnswerTimeout, BadRequest, BrokenStream, ConnectFailed
from councils.engine.types import Completion, CompletionRequest, Delta, StructuredMode
from councils.providers.answer import MODEL_NAME_CHARS, AnswerReader
from councils.providers.client import TRANSPORT_ERRORS, client_for_running_loop
from councils.providers.deadlines import Stopwatch
from councils.providers.dialect import Dialect, MalformedEventError, object_of
from councils.providers.egress import DENY_PRIVATE, EgressPolicy
from councils.providers.endpoint import Endpoint
from councils.providers.faults import clean_detail, from_response

MAX_ERROR_BYTES = 64 * 1024
MAX_LISTING_BYTES = 4_000_000
ERROR_BODY_S = 5.0
# The end of the body nearly always came with the terminal event. Having read it keeps the connection for the next call.
DRAIN_S = 0.05
LISTING_S = 15.0
CONNECT_S = 10.0
# One half of a surrogate pair without the other, as JSON escapes it.
HALF_PAIR = re.compile(rb"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]..")
# Compressed answers are refused instead of unpacked: 300 KB can become 67 MB.
BASE_HEADERS = {"accept-encoding": "identity", "content-type": "application/json", "user-agent": "llm-council"}


class HttpProvider:
    """A ``ChatProvider`` over HTTP: one endpoint, one dialect. Holds no state between calls and may be made for each."""

    def __init__(
        self, endpoint: Endpoint, dialect: Dialect, *, client: httpx.AsyncClient | None = None, policy: EgressPolicy = DENY_PRIVATE
    ) -> None:
        self.endpoint = endpoint
        self._dialect = dialect
        self._client = client
        self._policy = policy
        self._secrets = endpoint.secrets()

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Completion, None]:
        """See ``ChatProvider.stream``."""
        loop = asyncio.get_running_loop()
        watch = Stopwatch(request.deadlines, now=loop.time())
        reader = AnswerReader(self._dialect, request, self._secrets)
        first_token_ms: int | None = None
        response = await self._open(request, watch)
        headers_ms = _ms_since(watch, loop)
        try:
            chunks = aiter(cast("AsyncIterator[bytes]", response.stream))
            while not reader.done:
                chunk = await self._next_chunk(chunks, watch, complete=reader.complete)
                text = reader.close() if chunk is None else reader.feed(chunk)
                if text:
                    first_token_ms = _ms_since(watch, loop) if first_token_ms is None else first_token_ms
                    yield Delta(text=text)
                if reader.failure is not None:
                    raise reader.failure
                # After the yield: the time that the consumer took is not the provider's.
                if reader.active:
                    watch.progress(loop.time())
                if reader.complete:
                    watch.text_is_whole(loop.time())
                if chunk is None:
                    break
            completion = reader.completion(latency_ms=_ms_since(watch, loop), first_token_ms=first_token_ms)
            if not reader.cut:
                await _drain(chunks)
            yield replace(completion, headers_ms=headers_ms)
        finally:
            await _close(response)

    async def list_models(self) -> tuple[str, ...]:
        """The names of the models that this endpoint serves. Raises ``ProviderError``."""
        request = self._request("GET", self._dialect.models_url(self.endpoint), b"", CONNECT_S)
        try:
            async with asyncio.timeout(LISTING_S):
                response = await self._send(request)
                try:
                    await self._check(response, structured=False)
                    body = await _read_at_most(response, MAX_LISTING_BYTES)
                finally:
                    await _close(response)
            return self._model_names(body)
        except TimeoutError as error:
            raise AnswerTimeout(f"total: not finished within {LISTING_S:g} s.") from error
        except TRANSPORT_ERRORS as error:
            raise BrokenStream(self._said(error)) from error
        except (orjson.JSONDecodeError, MalformedEventError) as error:
            raise BrokenStream("The list of models is not in the provider's protocol.") from error

    def _model_names(self, body: bytes) -> tuple[str, ...]:
        names = self._dialect.model_names(object_of(_read_list(body)))
        return tuple(name for name in dict.fromkeys(names) if name and len(name) <= MODEL_NAME_CHARS and name.isprintable())

    async def _open(self, request: CompletionRequest, watch: Stopwatch) -> httpx.Response:
        """The response once its headers are here and say success."""
        try:
            body = orjson.dumps(self._dialect.body(self.endpoint, request))
        except TypeError as error:
            raise BadRequest("The request holds something that is not JSON.") from error
        outgoing = self._request("POST", self._dialect.chat_url(self.endpoint), body, request.deadlines.connect_s, request.call_id)
        try:
            async with asyncio.timeout_at(watch.expires_at):
                response = await self._send(outgoing)
        except TimeoutError as error:
            raise AnswerTimeout(watch.verdict()) from error
        async with AsyncExitStack() as unless_it_is_good:
            unless_it_is_good.push_async_callback(_close, response)
            await self._check(response, structured=request.structured is not StructuredMode.PLAIN)
            unless_it_is_good.pop_all()
        return response

    def _request(self, method: str, url: str, body: bytes, connect_s: float, call_id: str = "") -> httpx.Request:
        self._policy.check_url(url)
        headers = {**BASE_HEADERS, **self._dialect.headers(self.endpoint), **self.endpoint.headers}
        if call_id:
            headers["x-client-request-id"] = call_id
        timeout = httpx.Timeout(None, connect=connect_s).as_dict()
        try:
            return httpx.Request(method, url, headers=headers, content=body, extensions={"timeout": timeout})
        except (ValueError, httpx.InvalidURL) as error:
            raise BadRequest("The address, the key or a header holds characters that HTTP does not allow.") from error

    async def _send(self, request: httpx.Request) -> httpx.Response:
        client = self._client or client_for_running_loop(self._policy)
        try:
            return await client.send(request, stream=True, auth=None, follow_redirects=False)
        except TRANSPORT_ERRORS as error:
            raise ConnectFailed(self._said(error), sent=not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)) from error
        except ValueError as error:
            raise BadRequest("The address, the key or a header holds characters that HTTP does not allow.") from error

    async def _check(self, response: httpx.Response, *, structured: bool) -> None:
        """Raise what a response other than a plain 2xx means."""
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if response.is_success:
            if encoding not in ("", "identity"):
                raise BrokenStream("The answer is compressed although we do not accept that.")
            return
        body = b"" if encoding not in ("", "identity") else await self._error_body(response)
        raise from_response(response.status_code, response.headers, body, secrets=self._secrets, structured=structured)

    async def _error_body(self, response: httpx.Response) -> bytes:
        # The status has said what matters: a body that breaks or lingers is simply shorter.
        try:
            async with asyncio.timeout(ERROR_BODY_S):
                return await _read_at_most(response, MAX_ERROR_BYTES)
        except (*TRANSPORT_ERRORS, TimeoutError):
            return b""

    async def _next_chunk(self, chunks: AsyncIterator[bytes], watch: Stopwatch, *, complete: bool) -> bytes | None:
        """The next bytes, ``None`` at the end. What goes wrong after the text is whole is an end like any other."""
        try:
            async with asyncio.timeout_at(watch.expires_at):
                return await anext(chunks, None)
        except TimeoutError as error:
            if not complete:
                raise AnswerTimeout(watch.verdict()) from error
        except TRANSPORT_ERRORS as error:
            if not complete:
                raise BrokenStream(self._said(error)) from error
        return None

    def _said(self, error: Exception) -> str:
        # Only the transport's own sentences: other errors quote bytes and addresses.
        said = str(error) if isinstance(error, httpx.TransportError) else ""
        return clean_detail(said or type(error).__name__, self._secrets)


def _ms_since(watch: Stopwatch, loop: asyncio.AbstractEventLoop) -> int:
    return round((loop.time() - watch.started_at) * 1000)


def _read_list(body: bytes) -> object:
    """The JSON of a list of models. Half a surrogate pair, which is no text, would make all of it unreadable: it is read as NUL."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        # A backslash that is escaped as such begins no escape.
        return orjson.loads(HALF_PAIR.sub(rb"\\u0000", body.replace(rb"\\", rb"\u005c")))


async def _read_at_most(response: httpx.Response, limit: int) -> bytes:
    """The body up to ``limit`` bytes; the rest is never read."""
    pieces, size = [], 0
    async for chunk in cast("AsyncIterator[bytes]", response.stream):
        pieces.append(chunk)
        size += len(chunk)
        if size >= limit:
            break
    return b"".join(pieces)[:limit]


async def _close(response: httpx.Response) -> None:
    try:
        await response.aclose()
    except TRANSPORT_ERRORS:
        # The connection was given up; that it could not be given up politely changes nothing.
        return


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    try:
        async with asyncio.timeout(DRAIN_S):
            await anext(chunks, None)
    except (*TRANSPORT_ERRORS, TimeoutError):
        return
