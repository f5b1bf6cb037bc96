"""The HTTP client: httpx's interface over aiohttp's transport, one per event loop for the life of the process.

httpx's own pool costs time quadratic in the number of open streams, and building a client builds a TLS context (19 ms of CPU). Here the
context is built once per process, connections are not limited (calls are, by whoever makes them), and nothing is taken from the
environment.
"""

import asyncio
import ssl
import threading
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from socket import AddressFamily
from weakref import WeakKeyDictionary

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport

from councils.providers.egress import DENY_PRIVATE, EgressPolicy

# Below what common servers and balancers keep (60-75 s), so that a request seldom meets a connection just closed at the other end.
KEEP_ALIVE_S = 30.0
# What sending and reading can raise. The transport leaves some of aiohttp's own errors untranslated (a status line that is none).
TRANSPORT_ERRORS = (httpx.TransportError, httpx.InvalidURL, aiohttp.ClientError, OSError)

_lock = threading.Lock()
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[EgressPolicy, httpx.AsyncClient]] = WeakKeyDictionary()


class GuardedResolver(AbstractResolver):
    """Resolves names and lets only allowed addresses through: the connection goes to exactly what was checked."""

    def __init__(self, policy: EgressPolicy, inner: AbstractResolver | None = None) -> None:
        self._policy = policy
        self._inner = inner or aiohttp.ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_UNSPEC) -> list[ResolveResult]:
        results = await self._inner.resolve(host, port, family)
        # One inside address among outside ones is no accident: the whole name is refused.
        for result in results:
            self._policy.check_address(host, port, result["host"])
        return results

    async def close(self) -> None:
        await self._inner.close()


def new_client(policy: EgressPolicy = DENY_PRIVATE) -> httpx.AsyncClient:
    """A client of the running loop. It follows no redirects, keeps no cookies and knows no proxies; whoever makes it closes it."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=_tls(), resolver=GuardedResolver(policy), keepalive_timeout=KEEP_ALIVE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
    )
    return httpx.AsyncClient(
        transport=AiohttpTransport(verify=_tls(), client=session),
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        trust_env=False,
        follow_redirects=False,
    )


def client_for_running_loop(policy: EgressPolicy = DENY_PRIVATE) -> httpx.AsyncClient:
    """The client that every call on this loop under this policy shares. Closed by ``aclose``."""
    loop = asyncio.get_running_loop()
    with _lock:
        clients = _clients.setdefault(loop, {})
        client = clients.get(policy)
        if client is None or client.is_closed:
            client = clients[policy] = new_client(policy)
        return client


async def aclose() -> None:
    """Close the clients of the running loop and their connections."""
    with _lock:
        clients = _clients.pop(asyncio.get_running_loop(), {})
    for client in clients.values():
        await client.aclose()


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
