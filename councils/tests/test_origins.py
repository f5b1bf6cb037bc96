"""Who may open a socket: pages of this site, by scheme, host and port."""

from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from councils.origins import Origin, OriginValidator, client_address, may_connect, parse_origin


@pytest.fixture(autouse=True)
def site(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["council.example", ".wild.example", "127.0.0.1", "[::1]"]
    settings.CSRF_TRUSTED_ORIGINS = []
    settings.SECURE_PROXY_SSL_HEADER = None


def handshake(origin: str | None, *, host: str | None = "council.example", scheme: str = "wss", **headers: str) -> dict[str, Any]:
    sent = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    if host is not None:
        sent.append((b"host", host.encode()))
    if origin is not None:
        sent.append((b"origin", origin.encode("latin-1")))
    return {"type": "websocket", "path": "/", "scheme": scheme, "headers": sent}


@pytest.mark.parametrize(
    ("origin", "host", "scheme"),
    [
        ("https://council.example", "council.example", "wss"),
        ("https://council.example:443", "council.example", "wss"),
        ("https://council.example", "council.example:443", "wss"),
        ("https://COUNCIL.example", "council.EXAMPLE", "wss"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "ws"),
        ("http://[::1]:8000", "[::1]:8000", "ws"),
        ("https://a.wild.example", "a.wild.example", "wss"),
    ],
)
def test_a_page_of_this_site_may_connect(origin: str, host: str, scheme: str) -> None:
    assert may_connect(handshake(origin, host=host, scheme=scheme))


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "http://council.example",
        "https://council.example:8443",
        "https://evil.example",
        "https://council.example.evil.example",
        "https://evil-council.example",
        "https://sub.council.example",
        "https://council.example/path",
        "https://council.example?query",
        "https://council.example#fragment",
        "https://user@council.example",
        "https://council.example:0",
        "https://council.example:99999",
        "https://council.example:port",
        "https://[::1",
        "https://",
        "council.example",
        "//council.example",
        "wss://council.example",
        "file://",
        "chrome-extension://council.example",
        "https://council.example, https://council.example",
        "https://council\xe9.example",
    ],
)
def test_any_other_page_may_not(origin: str | None) -> None:
    assert not may_connect(handshake(origin))


@pytest.mark.parametrize("host", [None, "", "evil.example", "council.example:x", "council.example/"])
def test_a_handshake_for_another_host_is_refused_even_if_the_origin_agrees(host: str | None) -> None:
    assert not may_connect(handshake(f"https://{host}" if host else "https://council.example", host=host))


def test_a_repeated_origin_is_refused() -> None:
    scope = handshake("https://council.example")
    scope["headers"].append((b"Origin", b"https://evil.example"))

    assert not may_connect(scope)


def test_an_https_page_may_not_use_a_socket_that_came_without_tls() -> None:
    assert not may_connect(handshake("https://council.example", scheme="ws"))


def test_a_page_on_another_of_the_sites_own_hosts_may_not(settings: Settings) -> None:
    assert not may_connect(handshake("https://b.wild.example", host="a.wild.example"))


def test_trusted_origins_may_connect_by_scheme_host_and_port(settings: Settings) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://front.example:8443"]

    assert may_connect(handshake("https://front.example:8443"))
    assert not may_connect(handshake("https://front.example"))
    assert not may_connect(handshake("http://front.example:8443"))


def test_a_wildcard_among_the_trusted_origins_admits_nobody(settings: Settings) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://*.example"]

    assert not may_connect(handshake("https://evil.example"))


def test_the_word_of_a_proxy_about_tls_counts_only_if_proxies_are_trusted(settings: Settings) -> None:
    scope = handshake("https://council.example", scheme="ws", x_forwarded_proto="https")

    assert not may_connect(scope)
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert may_connect(scope)


def test_behind_a_proxy_an_http_page_is_still_refused(settings: Settings) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

    assert not may_connect(handshake("http://council.example", scheme="ws", x_forwarded_proto="https"))


def test_only_this_machine_is_the_site_in_debug_mode_without_hosts(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = []
    page = handshake("http://127.0.0.1:8000", host="127.0.0.1:8000", scheme="ws")

    assert not may_connect(page)
    settings.DEBUG = True
    assert may_connect(page)
    assert not may_connect(handshake("http://evil.example", host="evil.example", scheme="ws"))


def test_an_origin_has_the_port_of_its_scheme() -> None:
    assert parse_origin("http://a.example") == Origin("http", "a.example", 80)
    assert parse_origin("https://a.example") == Origin("https", "a.example", 443)


async def accept(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})


@pytest.mark.parametrize(("origin", "admitted"), [("https://council.example", True), ("https://evil.example", False)])
async def test_the_consumer_is_reached_only_by_pages_of_this_site(origin: str, admitted: bool) -> None:
    headers = [(b"host", b"council.example"), (b"origin", origin.encode())]
    socket = WebsocketCommunicator(OriginValidator(accept), "/", headers=headers)
    socket.scope["scheme"] = "wss"

    connected, _ = await socket.connect()

    assert connected is admitted


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.7", "127.0.0.1"),
        (1, "203.0.113.7", "203.0.113.7"),
        (1, "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        (2, "6.6.6.6, 198.51.100.1, 203.0.113.7", "198.51.100.1"),
        (2, "203.0.113.7", "127.0.0.1"),
        (1, "", "127.0.0.1"),
        (1, "not an address", "127.0.0.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (1, "2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        (1, "::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_a_forwarded_address_counts_only_as_far_as_our_proxies_wrote_it(
    settings: Settings, proxies: int, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies

    assert client_address(RequestFactory().get("/", headers={"X-Forwarded-For": forwarded})) == address
