"""Where a request comes from: sockets open only from the site's own pages, and limits count by the visitor's address.

Channels' own validator compares host names alone, so that it lets ``http://`` pages and other ports of the same host in. Here scheme,
host and port must all be the site's: those that the handshake was sent to, or one of ``CSRF_TRUSTED_ORIGINS``.
"""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

DEFAULT_PORTS = {"http": 80, "https": 443}
LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]


class Origin(NamedTuple):
    """Who a page belongs to (RFC 6454)."""

    scheme: str
    host: str
    port: int


def parse_origin(text: str) -> Origin | None:
    """The origin that ``text`` states, or ``None`` where it states none: empty, ``null``, other schemes, anything beside host and port."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.username is not None:
        return None
    if parts.path or parts.query or parts.fragment:
        return None
    return Origin(parts.scheme, parts.hostname, DEFAULT_PORTS[parts.scheme] if port is None else port)


def site_origin(scope: dict[str, Any]) -> Origin | None:
    """The origin of the site as this handshake addressed it; ``None`` if the host is not one of ``ALLOWED_HOSTS``."""
    host = _header(scope, b"host")
    if host is None or not validate_host(split_domain_port(host)[0], _allowed_hosts()):
        return None
    return parse_origin(f"{'https' if _is_secure(scope) else 'http'}://{host}")


def may_connect(scope: dict[str, Any]) -> bool:
    """Whether the page that asks for this socket is one of ours."""
    origin = parse_origin(_header(scope, b"origin") or "")
    site = site_origin(scope)
    if origin is None or site is None:
        return False
    return origin == site or origin in {parse_origin(trusted) for trusted in settings.CSRF_TRUSTED_ORIGINS}


class OriginValidator:
    """Answers a handshake from another origin with 403, before it reaches a consumer."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if may_connect(scope):
            await self.application(scope, receive, send)
        else:
            await WebsocketDenier()(scope, receive, send)


class HasMeta(Protocol):
    """A request: Django's or the API framework's."""

    META: dict[str, Any]


def client_address(request: HasMeta) -> str:
    """The visitor as limits know them: an IPv4 address, or the /64 of an IPv6 one, since a single customer has all of that.

    ``X-Forwarded-For`` counts only as far as our own proxies wrote it, and only where it names an address.
    """
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    trusted = int(settings.TRUSTED_PROXY_COUNT)
    told = hops[-trusted] if trusted and len(hops) >= trusted else ""
    return _network(told) or _network(str(request.META.get("REMOTE_ADDR", ""))) or "unknown"


def _network(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address.packed[:8] + bytes(8), 64)))


def _header(scope: dict[str, Any], name: bytes) -> str | None:
    """The header if it is there exactly once: two contradicting ones must not be chosen from."""
    found = [value for key, value in scope.get("headers", ()) if key.lower() == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


def _allowed_hosts() -> list[str]:
    return settings.ALLOWED_HOSTS or (LOCAL_HOSTS if settings.DEBUG else [])


def _is_secure(scope: dict[str, Any]) -> bool:
    if settings.SECURE_PROXY_SSL_HEADER:
        # The same trust as Django's: the proxy sets this header, or removes what the client sent.
        header, secure_value = settings.SECURE_PROXY_SSL_HEADER
        told = _header(scope, header.removeprefix("HTTP_").replace("_", "-").lower().encode("latin-1"))
        if told is not None:
            return told.split(",")[0].strip() == secure_value
    return scope.get("scheme") in {"wss", "https"}
