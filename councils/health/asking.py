"""Asking all active providers at once, each of their addresses for a short time. Nothing that is asked here is paid for."""

import asyncio
import time
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field

from councils.addresses import LISTING_TIMEOUT_S, endpoint_of, listing, policy_for
from councils.engine.errors import AuthenticationFailed, BadRequest, ProviderError
from councils.engine.types import ChatMessage, CompletionRequest, Deadlines
from councils.health.judging import Answered
from councils.models import ModelInfo, Provider, ProviderEndpoint
from councils.providers import client
from councils.providers.egress import EgressPolicy
from councils.providers.endpoint import Endpoint
from councils.providers.factory import provider_for

AT_ONCE = 16
"""Addresses that are asked at the same time."""

TINY_CALL_S = 30.0
"""A small call may have to wait until a local server has loaded its model."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What one provider said: at each address, and where it has no list, by small calls to its free models."""

    addresses: tuple[Answered, ...]
    calls: dict[int, Answered] = field(default_factory=dict)


def ask_all(providers: Iterable[Provider]) -> dict[int, Answers]:
    """The answers of providers that were fetched with ``endpoints`` and ``served_models``, by primary key. Makes no query."""
    return asyncio.run(_ask_all(list(providers)))


async def _ask_all(providers: list[Provider]) -> dict[int, Answers]:
    slots = asyncio.Semaphore(AT_ONCE)
    try:
        answers = await asyncio.gather(*(_ask(provider, slots) for provider in providers))
    finally:
        await client.aclose()
    return {provider.pk: answer for provider, answer in zip(providers, answers, strict=True)}


async def _ask(provider: Provider, slots: asyncio.Semaphore) -> Answers:
    addresses: list[Provider | ProviderEndpoint] = [provider, *(row for row in provider.endpoints.all() if row.is_active)]
    answers = tuple(await asyncio.gather(*(_list(provider, address, slots) for address in addresses)))
    without_list = next(
        (address for address, answer in zip(addresses, answers, strict=True) if answer.works and answer.models is None), None
    )
    if without_list is None:
        return Answers(answers)
    free = [model for model in provider.served_models.all() if model.is_active and _is_free(model)]
    calls = await asyncio.gather(*(_call(provider, without_list, model, slots) for model in free))
    return Answers(answers, {model.pk: call for model, call in zip(free, calls, strict=True)})


def _is_free(model: ModelInfo) -> bool:
    return model.cost_per_1k_input_tokens == 0 and model.cost_per_1k_output_tokens == 0


async def _list(provider: Provider, address: Provider | ProviderEndpoint, slots: asyncio.Semaphore) -> Answered:
    async with slots:
        start = time.monotonic()
        try:
            endpoint = endpoint_of(provider, address.base_url)
            names = await _names(endpoint, policy_for(address.base_url, allowed=address.allow_private_address))
        except ProviderError as error:
            return Answered(base_url=address.base_url, problem=error.message, key_refused=isinstance(error, AuthenticationFailed))
        if names is None:
            return Answered(base_url=address.base_url, latency_ms=_since(start))
        return Answered(base_url=address.base_url, models=frozenset(names), latency_ms=_since(start))


async def _names(endpoint: Endpoint, policy: EgressPolicy) -> tuple[str, ...] | None:
    """The models on the list of this endpoint; ``None`` where it knows no such page. Raises ``ProviderError``."""
    try:
        return await listing(endpoint, policy)
    except BadRequest:
        # It speaks http and refuses the question: a server without a list. Whether a model answers, only a call can tell.
        return None


async def _call(provider: Provider, address: Provider | ProviderEndpoint, model: ModelInfo, slots: asyncio.Semaphore) -> Answered:
    """One word of a model that costs nothing."""
    async with slots:
        start = time.monotonic()
        deadlines = Deadlines(connect_s=LISTING_TIMEOUT_S, first_token_s=TINY_CALL_S, idle_s=TINY_CALL_S, total_s=TINY_CALL_S)
        request = CompletionRequest(
            model=model.name, messages=(ChatMessage(role="user", content="Say yes."),), max_tokens=1, deadlines=deadlines
        )
        try:
            policy = policy_for(address.base_url, allowed=address.allow_private_address)
            async with aclosing(provider_for(endpoint_of(provider, address.base_url), policy=policy).stream(request)) as pieces:
                async for _ in pieces:
                    # The first piece shows that the model answers; the rest of the word is not waited for.
                    break
        except ProviderError as error:
            return Answered(base_url=address.base_url, problem=error.message)
        return Answered(base_url=address.base_url, latency_ms=_since(start))


def _since(start: float) -> int:
    return round((time.monotonic() - start) * 1000)
