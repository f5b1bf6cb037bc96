"""What is sent: the request of one call, where it goes and with which key."""

from django.conf import settings

from councils.costing import output_limit, own_limit
from councils.engine.errors import BadRequest
from councils.engine.prompts import PreparedCall
from councils.engine.types import CompletionRequest, Deadlines, StructuredMode
from councils.models.crypto import UnreadableSecret, unseal
from councils.models.provider import key_from_environment
from councils.providers.egress import EgressPolicy
from councils.providers.endpoint import Endpoint, EndpointKind
from councils.runner.work import RunWork
from councils.snapshot import EndpointTarget, ModelTarget


def endpoint_of(work: RunWork, target: ModelTarget, at: EndpointTarget) -> Endpoint:
    """One address of this model, with the key. Raises ``BadRequest`` when the stored key cannot be read."""
    try:
        key = unseal(work.sealed_keys.get(str(target.provider_id), "")) or key_from_environment(target.api_key_env)
    except UnreadableSecret as error:
        raise BadRequest(str(error)) from error
    return Endpoint(base_url=at.base_url, kind=EndpointKind(target.kind), api_key=key, extra=target.options)


def policy_of(at: EndpointTarget) -> EgressPolicy:
    """The private hosts that the operator named, and this one where a superuser allowed it."""
    own = {at.host_port} if at.allow_private_address else frozenset()
    return EgressPolicy(frozenset(settings.PRIVATE_PROVIDER_HOSTS) | own)


def request_of(work: RunWork, prepared: PreparedCall, target: ModelTarget, *, call_id: str, mode: StructuredMode) -> CompletionRequest:
    """The request of one call. It may not outlive the run, nor write more than the run's budgets hold for it."""
    limit = output_limit if work.claim.holds else own_limit
    return CompletionRequest(
        model=target.name,
        messages=prepared.messages,
        call_id=call_id,
        temperature=prepared.temperature,
        max_tokens=limit(target, prepared.max_tokens),
        schema=prepared.schema,
        schema_name=prepared.schema_name or "answer",
        structured=mode,
        deadlines=Deadlines(
            first_token_s=settings.LLM_FIRST_TOKEN_TIMEOUT,
            idle_s=settings.LLM_RESPONSE_TIMEOUT,
            total_s=min(settings.GENERATION_TIMEOUT, work.left_s()),
        ),
        max_chars=settings.LLM_MAX_RESPONSE_SIZE,
    )
