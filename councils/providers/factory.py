"""The doors of this package: a provider for an endpoint, and what an endpoint serves."""

from collections.abc import Mapping

import httpx

from councils.providers.anthropic import AnthropicDialect
from councils.providers.dialect import Dialect
from councils.providers.egress import DENY_PRIVATE, EgressPolicy
from councils.providers.endpoint import Endpoint, EndpointKind
from councils.providers.ollama import OllamaDialect
from councils.providers.openai import OpenAiDialect
from councils.providers.streaming import HttpProvider

DIALECTS: Mapping[EndpointKind, Dialect] = {
    EndpointKind.OPENAI: OpenAiDialect(),
    EndpointKind.OLLAMA: OllamaDialect(),
    EndpointKind.ANTHROPIC: AnthropicDialect(),
}


def provider_for(endpoint: Endpoint, client: httpx.AsyncClient | None = None, *, policy: EgressPolicy = DENY_PRIVATE) -> HttpProvider:
    """The ``ChatProvider`` of ``endpoint``; cheap enough to make for every call.

    Without ``client`` the one of the running loop is used, whose connections obey ``policy``. A ``client`` of the caller's own is only
    held to the policy by the text of the URL.
    """
    return HttpProvider(endpoint, DIALECTS[endpoint.kind], client=client, policy=policy)


async def list_models(
    endpoint: Endpoint, client: httpx.AsyncClient | None = None, *, policy: EgressPolicy = DENY_PRIVATE
) -> tuple[str, ...]:
    """The models that ``endpoint`` serves, by its own names, in its own order: also the test of a connection. Raises ``ProviderError``."""
    return await provider_for(endpoint, client, policy=policy).list_models()
