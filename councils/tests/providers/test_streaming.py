import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import orjson
import pytest

from benchmarks.fake.server import Running
from benchmarks.mutations import HEALTHY, delta, sse
from councils.engine.errors import AnswerTimeout, BadRequest, BrokenStream, ConnectFailed, EgressDenied, ProviderError
from councils.engine.types import ChatMessage, Completion, CompletionRequest, Deadlines, Delta, UsageSource
from councils.providers.client import new_client
from councils.providers.egress import DENY_PRIVATE, EgressPolicy
from councils.providers.endpoint import Endpoint, EndpointKind
from councils.providers.factory import list_models, provider_for
from councils.providers.streaming import MAX_ERROR_BYTES, HttpProvider
from councils.tests.providers.support import HASTY, KEY, ByteStream, collect, logged, mock_provider, request

ProviderMaker = Callable[[EndpointKind], HttpProvider]


def answering(*pieces: bytes | Exception, status: int = 200, **headers: str) -> HttpProvider:
    """A provider that answers with this body."""
    return mock_provider(lambda _: httpx.Response(status, headers=headers, stream=ByteStream(pieces)))


async def test_the_call_id_travels_in_the_header_that_is_logged(over_socket: ProviderMaker, fake: Running) -> None:
    await collect(over_socket(EndpointKind.OPENAI), request("fake:name=call-id", call_id="call-0042"))

    entry = await logged(fake, "fake:name=call-id")
    assert (entry.call_id, entry.outcome, entry.tokens) == ("call-0042", "completed", 20)


async def test_text_arrives_while_the_model_still_writes(over_socket: ProviderMaker) -> None:
    deltas, completion = await collect(over_socket(EndpointKind.OPENAI), request("fake:tokens=10,rate=100"))

    assert len(deltas) > 1
    assert "".join(deltas) == completion.text


async def test_times_are_measured_from_sending(over_socket: ProviderMaker) -> None:
    _, completion = await collect(over_socket(EndpointKind.OPENAI), request("fake:tokens=5,rate=50,ttft=0.1"))

    assert completion.first_token_ms is not None
    assert 100 <= completion.first_token_ms <= completion.latency_ms


@pytest.mark.parametrize("kind", list(EndpointKind))
async def test_closing_the_stream_early_closes_the_connection(kind: EndpointKind, over_socket: ProviderMaker, fake: Running) -> None:
    model = f"fake:tokens=1000,rate=50,name={kind}-close"
    stream = over_socket(kind).stream(request(model))
    assert isinstance(await anext(stream), Delta)

    await stream.aclose()

    assert (await logged(fake, model)).outcome == "aborted"


@pytest.mark.parametrize("model", ["fake:fault=hang,name=cancel", "fake:tokens=1000,rate=50,name=cancel"])
async def test_cancelling_the_task_closes_the_connection(model: str, over_socket: ProviderMaker, fake: Running) -> None:
    task = asyncio.create_task(collect(over_socket(EndpointKind.OPENAI), request(model)))
    await asyncio.sleep(0.1)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await logged(fake, model)).outcome == "aborted"


async def test_a_timeout_closes_the_connection(over_socket: ProviderMaker, fake: Running) -> None:
    model = "fake:fault=comments,name=timeout"
    with pytest.raises(AnswerTimeout):
        await collect(over_socket(EndpointKind.OPENAI), request(model, deadlines=HASTY))

    assert (await logged(fake, model)).outcome == "aborted"


async def test_a_slow_consumer_is_no_idle_provider(over_socket: ProviderMaker) -> None:
    hurried = Deadlines(first_token_s=30, idle_s=1, total_s=60)
    parts: list[Delta | Completion] = []
    async for part in over_socket(EndpointKind.OPENAI).stream(request("fake:tokens=3,rate=100", deadlines=hurried)):
        if not parts:
            await asyncio.sleep(1.2)
        parts.append(part)

    assert isinstance(parts[-1], Completion)


async def test_finished_calls_leave_their_connection_for_the_next(over_socket: ProviderMaker, fake: Running) -> None:
    provider = over_socket(EndpointKind.OPENAI)
    before = fake.office.connections
    for _ in range(5):
        await collect(provider, request("fake:"))

    assert fake.office.connections == before + 1


async def test_two_hundred_calls_run_side_by_side(over_socket: ProviderMaker) -> None:
    provider = over_socket(EndpointKind.OPENAI)
    answers = await asyncio.gather(*(collect(provider, request("fake:tokens=2,ttft=0.5", f"question {number}")) for number in range(200)))

    assert len({completion.text for _, completion in answers}) > 100


async def test_nobody_listening_is_a_failure_to_connect(unused_tcp_port: int, closing_clients: None) -> None:
    endpoint = Endpoint(base_url=f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(ConnectFailed):
        await collect(provider_for(endpoint, policy=EgressPolicy(frozenset({f"127.0.0.1:{unused_tcp_port}"}))), request())


async def test_a_name_that_does_not_exist_is_a_failure_to_connect(closing_clients: None) -> None:
    with pytest.raises(ConnectFailed):
        await collect(provider_for(Endpoint(base_url="https://models.invalid/v1")), request())


async def test_an_inside_address_is_never_contacted(fake: Running, closing_clients: None) -> None:
    model = "fake:name=denied"
    with pytest.raises(EgressDenied):
        await collect(provider_for(Endpoint(base_url=f"{fake.url}/v1"), policy=DENY_PRIVATE), request(model))

    assert fake.entries_of(model) == []


async def test_a_name_for_an_inside_address_is_refused_at_connect_time(fake: Running, closing_clients: None) -> None:
    """``localhost`` is stopped by its name; a name of the machine's own is known only by where it leads."""
    policy = EgressPolicy(frozenset({f"localhost:{fake.port}"}))
    await collect(provider_for(Endpoint(base_url=f"http://localhost:{fake.port}/v1"), policy=policy), request("fake:"))

    with pytest.raises(EgressDenied):
        await collect(provider_for(Endpoint(base_url=f"http://127.0.0.1:{fake.port}/v1"), policy=policy), request("fake:"))


@pytest.mark.parametrize(
    "changes",
    [
        {"api_key": "ключ-ключ"},
        {"api_key": "line\nbreak-in-key"},
        {"headers": {"x-bad": "a\r\nInjected: yes"}},
    ],
)
async def test_a_key_or_header_that_http_does_not_allow_is_our_own_mistake(
    changes: dict[str, Any], fake: Running, policy: EgressPolicy, closing_clients: None
) -> None:
    endpoint = Endpoint(base_url=f"{fake.url}/v1", **changes)

    with pytest.raises(BadRequest):
        await collect(provider_for(endpoint, policy=policy), request("fake:"))


@pytest.mark.parametrize("prompt", ["\ud800", "a\udfffb"])
async def test_a_prompt_that_is_no_text_is_our_own_mistake(prompt: str) -> None:
    with pytest.raises(BadRequest):
        await collect(answering(), CompletionRequest(model="m", messages=(ChatMessage(role="user", content=prompt),)))


@pytest.mark.parametrize(
    "error",
    [httpx.ReadError("gone"), httpx.RemoteProtocolError("odd"), httpx.ReadTimeout("slow"), aiohttp.ClientPayloadError("cut"), OSError("x")],
)
async def test_a_transport_that_fails_in_the_middle_breaks_the_answer(error: Exception) -> None:
    with pytest.raises(BrokenStream):
        await collect(answering(sse(delta(content="half")), error), request())


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("no"), httpx.ConnectTimeout("slow"), aiohttp.ClientOSError("x"), httpx.InvalidURL("bad")]
)
async def test_a_transport_that_fails_before_the_headers_could_not_connect(error: Exception) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(ConnectFailed):
        await collect(mock_provider(fail), request())


async def test_a_whole_text_is_not_thrown_away_when_the_formalities_fail() -> None:
    _, completion = await collect(answering(sse(delta("stop", content="whole")), httpx.ReadError("gone")), request())

    assert (completion.text, completion.usage.source) == ("whole", UsageSource.ESTIMATED)


async def test_an_error_body_is_read_only_so_far() -> None:
    body = ByteStream([b"x" * 1024] * 1000 + [AssertionError("read too far")])
    provider = mock_provider(lambda _: httpx.Response(500, stream=body))

    with pytest.raises(ProviderError) as caught:
        await collect(provider, request())

    assert len(caught.value.detail) <= MAX_ERROR_BYTES
    assert body.closed


async def test_an_error_body_that_breaks_still_has_its_status() -> None:
    with pytest.raises(BadRequest):
        await collect(answering(b"half a mess", httpx.ReadError("gone"), status=404), request())


async def test_a_compressed_answer_is_refused_unread() -> None:
    body = ByteStream([AssertionError("read")])
    headers = {"content-encoding": "gzip"}

    with pytest.raises(BrokenStream):
        await collect(mock_provider(lambda _: httpx.Response(200, headers=headers, stream=body)), request())

    assert body.closed


async def test_compression_and_redirects_are_not_asked_for() -> None:
    seen: list[httpx.Request] = []

    def answer(asked: httpx.Request) -> httpx.Response:
        seen.append(asked)
        return httpx.Response(200, stream=ByteStream([HEALTHY[EndpointKind.OPENAI]]))

    await collect(mock_provider(answer, headers={"x-title": "Council"}), request(call_id="c1"))

    (asked,) = seen
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert (asked.headers["x-title"], asked.headers["x-client-request-id"]) == ("Council", "c1")
    assert orjson.loads(asked.content)["model"] == "some-model"


async def test_the_response_is_closed_after_a_healthy_answer() -> None:
    body = ByteStream([HEALTHY[EndpointKind.OPENAI]])
    await collect(mock_provider(lambda _: httpx.Response(200, stream=body)), request())

    assert body.closed


async def test_cookies_of_a_provider_are_not_kept(closing_clients: None) -> None:
    client = new_client()
    response = httpx.Response(200, headers={"set-cookie": "track=1"}, request=httpx.Request("GET", "https://models.example"))
    client.cookies.extract_cookies(response)

    assert not client.cookies
    await client.aclose()


@pytest.mark.parametrize("kind", list(EndpointKind))
async def test_the_models_of_an_endpoint_are_listed_by_their_own_names(kind: EndpointKind, over_socket: ProviderMaker) -> None:
    assert "fake:tokens=100" in await over_socket(kind).list_models()


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b'{"data": 5}', b'{"data": [{"id": 5}]}', b'{"data": ["x"]}'])
async def test_a_listing_that_is_none_is_an_error_of_ours(body: bytes) -> None:
    endpoint = Endpoint(base_url="https://models.example/v1")
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, stream=ByteStream([body]))))

    with pytest.raises(BrokenStream):
        await list_models(endpoint, client)


async def test_only_names_that_can_be_names_are_listed() -> None:
    names = ["fine", "", None, "fine", "line\nbreak", "x" * 201]
    provider = answering(orjson.dumps({"data": [{"id": name} for name in names]}))

    assert await provider.list_models() == ("fine",)


ODD = (b'{"id": 5}', b"null", b'"name"', b'{"id": "a\\u0000b"}', b'{"id": "\\ud800"}', b'{"id": "x\\uDC00\\ud800"}')


@pytest.mark.parametrize("odd", ODD)
async def test_one_odd_entry_does_not_spoil_the_list(odd: bytes) -> None:
    provider = answering(b'{"data": [{"id": "fine"}, %s, {"id": "\\\\ud800"}, {"id": "\\ud83d\\ude00"}]}' % odd)

    assert await provider.list_models() == ("fine", "\\ud800", "\U0001f600")


@pytest.mark.parametrize("kind", list(EndpointKind))
async def test_every_protocol_leaves_out_odd_entries(kind: EndpointKind) -> None:
    body = orjson.dumps({"data": [{"id": 5}, {"id": "fine"}], "models": [{"name": 5}, {"name": "fine"}]})

    provider = mock_provider(lambda _: httpx.Response(200, stream=ByteStream([body])), kind)

    assert await provider.list_models() == ("fine",)


async def test_a_listing_with_a_bad_key_says_so() -> None:
    provider = answering(b'{"error": {"message": "bad key"}}', status=401)

    with pytest.raises(ProviderError) as caught:
        await provider.list_models()

    assert caught.value.kind == "authentication_failed"


async def test_generators_left_behind_do_no_harm(over_socket: ProviderMaker) -> None:
    stream = over_socket(EndpointKind.OPENAI).stream(request("fake:tokens=5"))
    async with contextlib.aclosing(stream):
        await anext(stream)

    assert [part async for part in stream] == []
