"""Asking a provider's address outside a run: with the key, the egress rules and the time limit that every such question has."""

import asyncio

from django.conf import settings

from councils.engine.errors import AnswerTimeout, BadRequest
from councils.models import Provider
from councils.models.crypto import UnreadableSecret
from councils.providers.egress import EgressPolicy, host_and_port
from councils.providers.endpoint import Endpoint, EndpointKind
from councils.providers.factory import list_models

LISTING_TIMEOUT_S = 10.0


def policy_for(base_url: str, *, allowed: bool) -> EgressPolicy:
    """The private hosts that the operator named, and this one where it is allowed."""
    hosts = frozenset(settings.PRIVATE_PROVIDER_HOSTS)
    if not allowed:
        return EgressPolicy(hosts)
    host, port = host_and_port(base_url)
    return EgressPolicy(hosts | {f"[{host}]:{port}" if ":" in host else f"{host}:{port}"})


def endpoint_of(provider: Provider, base_url: str) -> Endpoint:
    """One address of this provider, with its key. Raises ``BadRequest`` when the stored key cannot be read."""
    try:
        key = provider.api_key()
    except UnreadableSecret as error:
        raise BadRequest(str(error)) from error
    return Endpoint(base_url=base_url, kind=EndpointKind(provider.kind), api_key=key, extra=provider.options)


async def listing(endpoint: Endpoint, policy: EgressPolicy) -> tuple[str, ...]:
    """The models of one endpoint. Raises ``ProviderError``, ``AnswerTimeout`` after ``LISTING_TIMEOUT_S``."""
    try:
        async with asyncio.timeout(LISTING_TIMEOUT_S):
            return await list_models(endpoint, policy=policy)
    except TimeoutError as error:
        raise AnswerTimeout(f"No answer within {LISTING_TIMEOUT_S:g} s.") from error
