"""The socket opens for the site's own pages and for people who are signed in, and bears whatever is sent to it."""

import contextlib
import json
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.contrib.auth import logout
from django.test import Client
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidStatus

from benchmarks.killing import Server
from councils.models import User
from councils.tests.durability.support import Asker, ended
from councils.tests.live.conftest import OpenTab
from councils.tests.live.tab import PATIENCE_S, close_code, cookie_of, errors_of, open_socket, signed_in

SIGN_IN_AGAIN, TOO_BIG, NOT_TEXT = 4401, 4413, 4415
# What a client is told of a connection that ended without a word.
DROPPED = 1006


def foreign_origins(port: int) -> dict[str, str | None]:
    return {
        "none": None,
        "null": "null",
        "https": f"https://127.0.0.1:{port}",
        "other port": f"http://127.0.0.1:{port + 1}",
        "no port": "http://127.0.0.1",
        "other name": f"http://localhost:{port}",
        "foreign": "https://evil.example",
        "look-alike": f"http://127.0.0.1:{port}.evil.example",
        "user part": f"http://127.0.0.1:{port}@evil.example",
    }


@pytest.mark.parametrize("which", foreign_origins(0))
def test_a_page_of_another_origin_gets_no_socket(site: Server, asker: User, which: str) -> None:
    cookie = cookie_of(signed_in(asker))

    with pytest.raises(InvalidStatus) as refused, open_socket(site.port, cookie=cookie, origin=foreign_origins(site.port)[which]):
        pass

    # What is no origin at all is refused by the protocol already.
    assert refused.value.response.status_code == (400 if which == "look-alike" else 403)


@pytest.mark.parametrize("cookie", ["", "sessionid=made-up-by-somebody"])
def test_who_is_not_signed_in_is_sent_away(site: Server, cookie: str) -> None:
    with open_socket(site.port, cookie=cookie) as socket:
        assert close_code(socket) == SIGN_IN_AGAIN


@pytest.mark.parametrize("run_id", ["a" * 26, "", "x", "run.*", "../..", "a" * 5000, "ü" * 26])
def test_a_run_that_does_not_exist_is_not_found(site: Server, asker: User, run_id: str) -> None:
    with open_socket(site.port, cookie=cookie_of(signed_in(asker))) as socket:
        socket.send(json.dumps({"type": "subscribe", "run": run_id}))

        assert errors_of(socket)["code"] == "not_found"


def test_a_run_of_somebody_else_is_not_found(site: Server, ask: Asker) -> None:
    run = ended(ask("", "", ""))
    other = User.objects.create_user("other")

    with open_socket(site.port, cookie=cookie_of(signed_in(other))) as socket:
        socket.send(json.dumps({"type": "subscribe", "run": run.public_id}))

        assert errors_of(socket)["code"] == "not_found"


def sign_out(client: Client, user: User) -> None:
    request = client.request().wsgi_request
    logout(request)


def deactivate(client: Client, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def change_password(client: Client, user: User) -> None:
    user.set_password("another horse, another battery")
    user.save()


def delete(client: Client, user: User) -> None:
    client.session.delete()


@pytest.mark.parametrize("revoke", [sign_out, deactivate, change_password, delete])
def test_revoked_rights_reach_a_socket_that_is_open(site: Server, ask: Asker, revoke: Callable[[Client, User], None]) -> None:
    run = ask("tokens=2000,rate=20", "tokens=2000,rate=20", "")
    client = signed_in(ask.user)

    with open_socket(site.port, cookie=cookie_of(client)) as socket:
        socket.send(json.dumps({"type": "subscribe", "run": run.public_id}))
        socket.recv(timeout=PATIENCE_S)
        revoke(client, ask.user)

        assert close_code(socket) == SIGN_IN_AGAIN


def test_a_conversation_that_is_deleted_is_not_shown_any_more(site: Server, ask: Asker, open_tab: OpenTab) -> None:
    run = ask("tokens=2000,rate=20", "tokens=2000,rate=20", "")

    with open_tab(run) as tab:
        tab.follow(lambda tab: "call_started" in tab.types)
        type(run.conversation).objects.update(deleted_at=timezone.now())

        assert errors_of(tab.socket)["code"] == "not_found"


BAD_MESSAGES = [
    "",
    "{",
    "[]",
    "null",
    "NaN",
    '"subscribe"',
    "[" * 5000,
    '{"type": "subscribe"}',
    '{"type": "subscribe", "run": 5}',
    '{"type": "subscribe", "run": "x", "after": -1}',
    '{"type": "subscribe", "run": "x", "after": 1e99}',
    '{"type": "subscribe", "run": "x", "after": 99999999999999999999}',
    '{"type": "subscribe", "run": {"$ne": 1}}',
    '{"type": "run.message", "sender": "x", "text": "forged"}',
    '{"type": "run_message", "sender": "x", "text": "forged"}',
    '{"type": "websocket.disconnect", "code": 1000}',
    '{"type": "websocket_connect"}',
    '{"type": "__init__"}',
    '{"type": ["subscribe"]}',
    '{"type": {"a": 1}}',
]


@pytest.mark.parametrize("message", BAD_MESSAGES, ids=range(len(BAD_MESSAGES)))
def test_a_bad_message_is_answered_and_the_socket_goes_on(site: Server, asker: User, message: str) -> None:
    with open_socket(site.port, cookie=cookie_of(signed_in(asker))) as socket:
        socket.send(message)
        assert errors_of(socket)["code"] == "bad_message"

        socket.send('{"type": "ping"}')
        assert json.loads(socket.recv(timeout=PATIENCE_S)) == {"type": "pong"}


def test_binary_is_refused(site: Server, asker: User) -> None:
    with open_socket(site.port, cookie=cookie_of(signed_in(asker))) as socket:
        socket.send(b"\x00\xff" * 10)

        assert close_code(socket) == NOT_TEXT


def test_a_message_that_is_too_big_is_refused_with_a_reason(site: Server, asker: User) -> None:
    with open_socket(site.port, cookie=cookie_of(signed_in(asker)), compression=None) as socket:
        socket.send("x" * 17 * 1024)

        assert close_code(socket) == TOO_BIG


@pytest.mark.parametrize("huge", ["x" * 70_000, "x" * 5_000_000, ["x" * 10_000] * 20], ids=["64 KB", "5 MB", "fragments"])
def test_what_is_far_too_big_is_cut_off_unread(site: Server, asker: User, huge: Any) -> None:
    with open_socket(site.port, cookie=cookie_of(signed_in(asker)), compression=None) as socket:
        with contextlib.suppress(ConnectionClosed):
            socket.send(huge)

        assert close_code(socket) == DROPPED


def test_a_flood_is_ended(site: Server, asker: User) -> None:
    with open_socket(site.port, cookie=cookie_of(signed_in(asker))) as socket:
        for _ in range(200):
            socket.send('{"type": "ping"}')

        assert close_code(socket) == 4429


def test_after_a_flood_the_site_still_serves_others(site: Server, ask: Asker, open_tab: OpenTab) -> None:
    cookie = cookie_of(signed_in(ask.user))
    for _ in range(5):
        with open_socket(site.port, cookie=cookie) as socket:
            for _ in range(100):
                socket.send('{"type": "ping"}')
    run = ask("", "", "")

    with open_tab(run) as tab:
        tab.follow()

    assert tab.events[-1]["status"] == "succeeded"


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_that_is_too_large_is_cut_off_while_it_arrives(site: Server, declared: bool) -> None:
    head = "Content-Length: 600000000" if declared else "Transfer-Encoding: chunked"
    piece = b"x" * 65_536
    sent = 0
    with socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE_S) as client:
        client.sendall(f"POST /api/v1/runs/ HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\n{head}\r\n\r\n".encode())
        answer = b""
        # The server hangs up at some point; until then a stranger goes on sending.
        with contextlib.suppress(ConnectionError):
            while sent < 64 * 2**20:
                client.sendall(piece if declared else b"10000\r\n" + piece + b"\r\n")
                sent += len(piece)
        with contextlib.suppress(ConnectionError):
            answer = client.recv(1000)

    assert sent < 32 * 2**20
    assert answer.startswith(b"HTTP/1.1 413") or not answer


def test_a_body_that_is_just_large_is_received(site: Server) -> None:
    question = json.dumps({"question": "x" * 150_000})

    answer = httpx.post(
        f"http://127.0.0.1:{site.port}/api/v1/runs/", content=question, headers={"Content-Type": "application/json"}, timeout=PATIENCE_S
    )

    assert answer.status_code == 401


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "multipart/form-data"])
def test_a_broken_form_is_answered_by_the_api_and_not_by_the_server(site: Server, kind: str) -> None:
    address = f"http://127.0.0.1:{site.port}"

    stranger = httpx.post(f"{address}/api/v1/runs/", content=b'{"question":"x"}', headers={"Content-Type": kind}, timeout=PATIENCE_S)

    assert (stranger.status_code, stranger.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize(
    ("request_line", "headers", "status"),
    [
        (f"GET /?q={'x' * 20_000} HTTP/1.1", "", 414),
        ("GET / HTTP/1.1", f"Cookie: sessionid={'x' * 20_000}\r\n", 431),
        ("GET / HTTP/1.1", "".join(f"X-{n}: {'x' * 1_000}\r\n" for n in range(20)), 431),
    ],
    ids=["line", "header", "headers"],
)
def test_a_head_that_is_too_long_is_refused_with_a_reason(site: Server, request_line: str, headers: str, status: int) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE_S) as client:
        client.sendall(f"{request_line}\r\nHost: 127.0.0.1:{site.port}\r\n{headers}\r\n".encode())
        answer = b"".join(iter(lambda: client.recv(4096), b""))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(body)["code"] == "too_long"


def test_a_head_that_is_just_long_is_served_again_and_again_on_one_connection(site: Server) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{site.port}", headers={"X-Long": "x" * 12_000}, timeout=PATIENCE_S) as client:
        assert {client.get("/sign-in/").status_code for _ in range(3)} == {200}
