"""Asking providers for their models outside a run: the test of a connection, and what the first start chooses from."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from councils.addresses import endpoint_of, listing, policy_for
from councils.engine.errors import AuthenticationFailed, EgressDenied, ProviderError
from councils.models import Provider, ProviderEndpoint
from councils.providers import client
from councils.providers.egress import EgressPolicy
from councils.providers.endpoint import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How one address of a provider answered: the names of its models and how long that took, or what went wrong in one sentence."""

    provider: Provider
    base_url: str
    names: tuple[str, ...] = ()
    latency_ms: int = 0
    problem: str = ""
    key_refused: bool = False

    @property
    def models(self) -> int:
        return len(self.names)


def ask_for_models(endpoint: Endpoint, policy: EgressPolicy) -> tuple[str, ...]:
    """The models of one endpoint, asked in a loop of its own. Raises ``ProviderError``."""

    async def asked() -> tuple[str, ...]:
        try:
            return await listing(endpoint, policy)
        finally:
            await client.aclose()

    return asyncio.run(asked())


def check_connections(providers: Iterable[Provider]) -> list[Connection]:
    """Ask these providers for their models at each of their addresses, all at once, each for a short time.

    One that takes our key at all of them is no trouble any more; one that refuses it is marked.
    """
    addresses = [(provider, address) for provider in providers for address in _addresses(provider)]
    connections = asyncio.run(_check_all(addresses))
    for provider, tried in groupby(connections, key=lambda connection: connection.provider):
        _mark(provider, list(tried))
    return connections


def _addresses(provider: Provider) -> list[Provider | ProviderEndpoint]:
    return [provider, *provider.endpoints.filter(is_active=True)]


def _mark(provider: Provider, tried: list[Connection]) -> None:
    refused = next((connection.problem for connection in tried if connection.key_refused), "")
    if refused:
        Provider.objects.mark(provider.pk, refused)
    elif not any(connection.problem for connection in tried):
        Provider.objects.clear(provider.pk)


def private_address_problem(base_url: str, *, allowed: bool) -> str:
    """Why the server would not contact this address as far as its text tells; empty where it would, and where it is no address."""
    try:
        policy_for(base_url, allowed=allowed).check_url(base_url)
    except EgressDenied as error:
        return error.message
    return ""


async def _check_all(addresses: list[tuple[Provider, Provider | ProviderEndpoint]]) -> list[Connection]:
    try:
        return await asyncio.gather(*(_check(provider, address) for provider, address in addresses))
    finally:
        await client.aclose()


async def _check(provider: Provider, address: Provider | ProviderEndpoint) -> Connection:
    start = time.monotonic()
    said = partial(Connection, provider=provider, base_url=address.base_url)
    try:
        policy = policy_for(address.base_url, allowed=address.allow_private_address)
        models = await listing(endpoint_of(provider, address.base_url), policy)
    except EgressDenied as error:
        hint = "" if address.allow_private_address else " A superuser can switch on “Allow private address” in its form."
        return said(problem=f"{error.message}{hint}")
    except ProviderError as error:
        return said(problem=error.message, key_refused=isinstance(error, AuthenticationFailed))
    return said(names=models, latency_ms=round((time.monotonic() - start) * 1000))
