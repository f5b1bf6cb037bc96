"""Asking providers for their models outside a run: the test of a connection, and what the first start chooses from."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from councils.engine.errors import BadRequest, EgressDenied, ProviderError
from councils.models import Provider
from councils.models.crypto import UnreadableSecret
from councils.providers import client
from councils.providers.egress import EgressPolicy, host_and_port
from councils.providers.endpoint import Endpoint, EndpointKind
from councils.providers.factory import list_models

LISTING_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How a provider answered: the number of its models and how long that took, or what went wrong in one sentence."""

    provider: Provider
    models: int = 0
    latency_ms: int = 0
    problem: str = ""


def ask_for_models(endpoint: Endpoint, policy: EgressPolicy) -> tuple[str, ...]:
    """The models of one endpoint, asked in a loop of its own. Raises ``ProviderError``."""

    async def listing() -> tuple[str, ...]:
        try:
            return await _listing(endpoint, policy)
        finally:
            await client.aclose()

    return asyncio.run(listing())


def check_connections(providers: Iterable[Provider]) -> list[Connection]:
    """Ask these providers for their models, all at once, each for a short time."""
    return asyncio.run(_check_all(list(providers)))


def private_address_problem(base_url: str, *, allowed: bool) -> str:
    """Why the server would not contact this address as far as its text tells; empty where it would, and where it is no address."""
    try:
        policy_for(base_url, allowed=allowed).check_url(base_url)
    except EgressDenied as error:
        return error.message
    return ""


def policy_for(base_url: str, *, allowed: bool) -> EgressPolicy:
    """The private hosts that the operator named, and this one where it is allowed."""
    hosts = frozenset(settings.PRIVATE_PROVIDER_HOSTS)
    if not allowed:
        return EgressPolicy(hosts)
    host, port = host_and_port(base_url)
    return EgressPolicy(hosts | {f"[{host}]:{port}" if ":" in host else f"{host}:{port}"})


async def _check_all(providers: list[Provider]) -> list[Connection]:
    try:
        return await asyncio.gather(*(_check(provider) for provider in providers))
    finally:
        await client.aclose()


async def _check(provider: Provider) -> Connection:
    start = time.monotonic()
    try:
        policy = policy_for(provider.base_url, allowed=provider.allow_private_address)
        models = await _listing(_endpoint(provider), policy)
    except EgressDenied as error:
        hint = "" if provider.allow_private_address else " A superuser can switch on “Allow private address” in its form."
        return Connection(provider=provider, problem=f"{error.message}{hint}")
    except ProviderError as error:
        return Connection(provider=provider, problem=error.message)
    return Connection(provider=provider, models=len(models), latency_ms=round((time.monotonic() - start) * 1000))


def _endpoint(provider: Provider) -> Endpoint:
    try:
        key = provider.api_key()
    except UnreadableSecret as error:
        raise BadRequest(str(error)) from error
    return Endpoint(base_url=provider.base_url, kind=EndpointKind(provider.kind), api_key=key, extra=provider.options)


async def _listing(endpoint: Endpoint, policy: EgressPolicy) -> tuple[str, ...]:
    try:
        async with asyncio.timeout(LISTING_TIMEOUT_S):
            return await list_models(endpoint, policy=policy)
    except TimeoutError as error:
        raise ProviderError(f"No answer within {LISTING_TIMEOUT_S:g} s.") from error
