"""What is noted of every request: its id, a line of the log, its figures, however it ends."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest
from django.conf import settings as site
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import AsyncClient, Client, RequestFactory
from django.test.utils import override_settings
from django.urls import path
from prometheus_client import REGISTRY

from councils.telemetry import scope
from councils.tests.factories import make_user
from councils.web.observing import GAVE_UP, ObservingMiddleware
from councils.web.urls import urlpatterns as pages

HERE = __name__
SITE_MIDDLEWARE = list(site.MIDDLEWARE)
during: list[float] = []
heard: list[logging.LogRecord] = []


class Listener(logging.Logger):
    """Hears what is logged, in whichever phase of a test and thread."""

    def handle(self, record: logging.LogRecord) -> None:
        heard.append(record)


def active() -> float:
    return REGISTRY.get_sample_value("active_requests") or 0.0


def answered(route: str, status: int = 200, method: str = "GET") -> float:
    return REGISTRY.get_sample_value("http_requests_total", {"method": method, "route": route, "status": str(status)}) or 0.0


def count(request: HttpRequest, number: int) -> HttpResponse:
    during.append(active())
    return HttpResponse(scope.current("request"))


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        for _ in range(3):
            during.append(active())
            yield f"{scope.current('request')} ".encode()

    return StreamingHttpResponse(parts())


async def stream_async(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(0)
            during.append(active())
            yield f"{scope.current('request')} ".encode()

    return StreamingHttpResponse(parts())


def break_down(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("secret=hunter2-0123456789")


urlpatterns = [
    path("count/<int:number>/", count, name="count"),
    path("stream/", stream, name="stream"),
    path("stream-async/", stream_async, name="stream-async"),
    path("break/", break_down, name="break"),
    # Pages of errors lead there.
    *pages,
]
handler500 = "councils.web.errors.server_error"
OWN_ID = "an-id.of_a-proxy-0123"


@pytest.fixture(autouse=True)
def own_addresses(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    during.clear()
    heard.clear()
    monkeypatch.setattr("councils.web.observing.logger", Listener("councils.access", logging.DEBUG))
    with override_settings(ROOT_URLCONF=HERE, MIDDLEWARE=["councils.web.observing.ObservingMiddleware"]):
        yield


def access_lines() -> list[dict[str, Any]]:
    """The lines of the access log so far."""
    return [record.__dict__ for record in heard if record.name == "councils.access"]


def access() -> dict[str, Any]:
    [line] = access_lines()
    return line


def test_a_request_is_counted_by_the_name_of_its_address_and_is_active_meanwhile(client: Client) -> None:
    before, resting = answered("count"), active()
    answer = client.get("/count/7/?q=secret", headers={"X-Request-ID": OWN_ID})

    assert (answered("count"), during, active()) == (before + 1, [resting + 1], resting)
    assert answer.text == answer["X-Request-ID"] == OWN_ID
    line = access()
    assert (line["method"], line["route"], line["status"], line["request"]) == ("GET", "count", 200, OWN_ID)
    assert "secret" not in str(line)
    assert "/count/7/" not in str(line)


@pytest.mark.parametrize(
    "told", ["", "short", "a" * 65, "no blanks here", "new\nline-0123456789", "<script>alert(1)", "-starts-badly-", "ünïcode-0123"]
)
def test_an_id_that_is_not_well_formed_is_replaced(told: str) -> None:
    request = RequestFactory().get("/count/1/", headers={"X-Request-ID": told})
    answer = cast("HttpResponseBase", ObservingMiddleware(lambda _: HttpResponse())(request))

    assert answer["X-Request-ID"] != told
    assert len(answer["X-Request-ID"]) == 32


@pytest.mark.parametrize(
    ("method", "address", "labels"), [("GET", "/nowhere/secret/", ("other", 404, "GET")), ("BREW", "/count/1/", ("count", 200, "other"))]
)
def test_what_strangers_make_up_is_no_label(client: Client, method: str, address: str, labels: tuple[str, int, str]) -> None:
    before = answered(*labels)
    client.generic(method, address)

    assert answered(*labels) == before + 1
    assert not [s for family in REGISTRY.collect() for s in family.samples if {"BREW", "/nowhere/secret/"} & set(s.labels.values())]


def test_a_fault_is_an_answer_too(client: Client) -> None:
    client.raise_request_exception = False
    resting = active()

    assert client.get("/break/").status_code == 500
    assert (access()["status"], active()) == (500, resting)


class TestAStreamedAnswer:
    def test_ends_with_its_last_byte(self, client: Client) -> None:
        before, resting = answered("stream"), active()
        answer = client.get("/stream/", headers={"X-Request-ID": OWN_ID})
        assert answered("stream") == before
        assert access_lines() == []

        assert b"".join(cast("Iterator[bytes]", answer)) == f"{OWN_ID} ".encode() * 3
        answer.close()

        assert (answered("stream"), during, active()) == (before + 1, [resting + 1] * 3, resting)
        assert access()["status"] == 200

    def test_that_its_reader_leaves_ends_then(self, client: Client) -> None:
        before, resting = answered("stream"), active()
        answer = client.get("/stream/")
        next(iter(cast("Iterator[bytes]", answer)))
        answer.close()
        answer.close()

        assert (answered("stream"), active()) == (before + 1, resting)

    def test_is_the_same_to_an_async_server(self, async_client: AsyncClient) -> None:
        async def ask() -> bytes:
            answer: Any = await async_client.get("/stream-async/", headers={"X-Request-ID": OWN_ID})
            assert answer["X-Request-ID"] == OWN_ID
            parts = [part async for part in answer.streaming_content]
            answer.close()
            return b"".join(parts)

        before, resting = answered("stream-async"), active()
        assert asyncio.run(ask()) == f"{OWN_ID} ".encode() * 3
        assert (answered("stream-async"), during, active()) == (before + 1, [resting + 1] * 3, resting)

    def test_of_a_file_is_left_as_it_is(self, tmp_path: Any) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"content")
        given = FileResponse(file.open("rb"))
        answer = cast("FileResponse", ObservingMiddleware(lambda _: given)(RequestFactory().get("/")))

        assert answer.file_to_stream is not None
        assert b"".join(cast("Iterator[bytes]", answer.streaming_content)) == b"content"
        answer.close()


async def test_a_client_that_leaves_an_async_server_is_not_active_any_more() -> None:
    entered = asyncio.Event()

    async def slow(_: HttpRequest) -> HttpResponseBase:
        entered.set()
        await asyncio.sleep(60)
        return HttpResponse()

    resting = active()
    answering = cast("Any", ObservingMiddleware(slow)(RequestFactory().get("/count/1/")))
    task = asyncio.ensure_future(answering)
    await entered.wait()
    assert active() == resting + 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (active(), access()["status"]) == (resting, GAVE_UP)


def test_an_error_of_the_api_tells_the_id_that_the_log_has(client: Client, db: None) -> None:
    with override_settings(ROOT_URLCONF="council_site.urls", MIDDLEWARE=SITE_MIDDLEWARE):
        client.force_login(make_user())
        answer = client.get("/api/v1/runs/nothing/", headers={"X-Request-ID": OWN_ID})

    assert (answer.status_code, answer.json()["request_id"], answer["X-Request-ID"]) == (404, OWN_ID, OWN_ID)


def test_only_health_probes_are_answered_before_it() -> None:
    before = SITE_MIDDLEWARE[: SITE_MIDDLEWARE.index("councils.web.observing.ObservingMiddleware")]

    assert before == ["councils.web.health.HealthMiddleware"]
