"""The first council of a site, made of what the environment offers: cloud keys, an Ollama server, or the small local model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from councils.engine.errors import AuthenticationFailed, ProviderError
from councils.providers.egress import DENY_PRIVATE, EgressPolicy
from councils.providers.endpoint import Endpoint, EndpointKind
from councils.services.connecting import ask_for_models
from councils.services.starter_documents import Document, Offer, Source, document_of, local_document

MODELS_PER_SOURCE = 4
NOT_FOR_CHAT = ("embed", "minilm", "rerank", "bge-")
NO_PROVIDER = (
    "No provider yet: set OPENROUTER_API_KEY, OPENAI_API_KEY, ANTHROPIC_API_KEY or OLLAMA_BASE_URL and run first_run again, "
    "or enter one in the admin."
)

ListModels = Callable[[Endpoint, EgressPolicy], Sequence[str]]

CLOUD = (
    Source(
        variable="OPENROUTER_API_KEY",
        slug="openrouter",
        name="OpenRouter",
        kind=EndpointKind.OPENAI,
        base_url="https://openrouter.ai/api/v1",
        preferred=(
            "openai/gpt-4.1-mini",
            "anthropic/claude-haiku-4.5",
            "google/gemini-2.5-flash",
            "qwen/qwen3-235b-a22b-2507",
            "~anthropic/claude-haiku-latest",
            "~google/gemini-flash-latest",
            "~openai/gpt-mini-latest",
        ),
    ),
    Source(
        variable="OPENAI_API_KEY",
        slug="openai",
        name="OpenAI",
        kind=EndpointKind.OPENAI,
        base_url="https://api.openai.com/v1",
        preferred=("gpt-4.1-mini", "gpt-4.1", "gpt-4o-mini", "gpt-4.1-nano", "gpt-5.4-mini", "gpt-5.4-nano"),
    ),
    Source(
        variable="ANTHROPIC_API_KEY",
        slug="anthropic",
        name="Anthropic",
        kind=EndpointKind.ANTHROPIC,
        base_url="https://api.anthropic.com",
        preferred=("claude-haiku-4-5", "claude-sonnet-4-5", "claude-sonnet-4-6", "claude-haiku-5-5"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """A document for ``apply_configuration``, and sentences on what could not be used. ``None``: there is nothing to ask."""

    document: Document | None
    notes: tuple[str, ...] = ()


def starter_for(environment: Mapping[str, str], *, local_port: int | None, ask: ListModels | None = None) -> Starter:
    """The first council for this environment. Providers are asked what they serve; one that refuses its key is left out.

    Without a ``local_port`` nobody serves the small local model, and no council is put on it. ``ask`` replaces the question to the
    provider in tests.
    """
    search = _Search(environment, ask or ask_for_models)
    offers = [offer for source in _sources(environment) if (offer := search.offer(source)) is not None]
    if offers:
        return Starter(document=document_of(offers), notes=tuple(search.notes))
    if local_port is None:
        return Starter(document=None, notes=(*search.notes, NO_PROVIDER))
    return Starter(document=local_document(local_port), notes=tuple(search.notes))


def _sources(environment: Mapping[str, str]) -> list[Source]:
    found = [source for source in CLOUD if environment.get(source.variable)]
    if address := environment.get("OLLAMA_BASE_URL"):
        found.append(Source(variable="OLLAMA_BASE_URL", slug="ollama", name="Ollama", kind=EndpointKind.OLLAMA, base_url=address))
    return found


@dataclass(slots=True)
class _Search:
    environment: Mapping[str, str]
    ask: ListModels
    notes: list[str] = field(default_factory=list)

    def offer(self, source: Source) -> Offer | None:
        """What this source can contribute; ``None`` with a note where it cannot."""
        key = "" if source.is_ours else self.environment[source.variable]
        try:
            served = self.ask(Endpoint(base_url=source.base_url, kind=source.kind, api_key=key), _policy(source))
        except AuthenticationFailed:
            self.notes.append(f"{source.name} does not accept the key in {source.variable}. It is left out.")
            return None
        except ProviderError as error:
            # A cloud provider that is out of reach now is worth a seat all the same: its models are known by name.
            self.notes.append(f"{source.name} could not be asked for its models. {error.message}")
            served = source.preferred
        chosen = _choose(source, served)
        if not chosen:
            self.notes.append(f"{source.name} at {source.base_url} serves no model that can chat. It is left out.")
        return Offer(source, chosen) if chosen else None


def _policy(source: Source) -> EgressPolicy:
    if not source.is_ours:
        return DENY_PRIVATE
    parts = urlsplit(source.base_url)
    return EgressPolicy(frozenset({f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"}))


def _choose(source: Source, served: Sequence[str]) -> tuple[str, ...]:
    if source.preferred:
        # Anthropic lists its models with their dates, and takes the names without.
        known = [name for name in source.preferred if any(s == name or s.startswith(f"{name}-20") for s in served)]
    else:
        known = [name for name in served if not any(part in name.lower() for part in NOT_FOR_CHAT)]
    return tuple(known[:MODELS_PER_SOURCE])
