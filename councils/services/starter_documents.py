"""Documents of a first council: its characters, and what is written down of the providers that it is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, cycle, zip_longest
from typing import Any

from councils import local_model
from councils.providers.endpoint import EndpointKind
from councils.services.configuration.fields import FORMAT

LOCAL_SLUG = "local"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A provider that the environment may offer. ``preferred`` are its models in order; empty means whatever it serves."""

    variable: str
    slug: str
    name: str
    kind: EndpointKind
    base_url: str
    preferred: tuple[str, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Whether the operator runs it: then it may have a private address and costs nothing."""
        return self.kind is EndpointKind.OLLAMA


@dataclass(frozen=True, slots=True)
class Offer:
    """A source that can be used, and which of its models."""

    source: Source
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A seat's name, character and temperature."""

    name: str
    persona: str
    temperature: float


ROLES = (
    Role(
        name="Analyst", temperature=0.2, persona="You are a careful analyst. State what is known, what is not, and conclude step by step."
    ),
    Role(
        name="Skeptic",
        temperature=0.5,
        persona="You are a skeptic. Look for what could be wrong with the obvious answer before you give yours.",
    ),
    Role(name="Practitioner", temperature=0.7, persona="You are a practitioner. Say what works in practice and how to begin."),
    Role(name="Explorer", temperature=1.0, persona="You have an open mind. Consider a view that others would miss, then answer plainly."),
)
# One sentence each: a model of 135 million parameters loses a longer one.
SMALL_ROLES = (
    Role(name="Expert", temperature=0.2, persona="You are an expert. Answer correctly in two or three short sentences."),
    Role(name="Teacher", temperature=0.5, persona="You are a teacher. Explain the answer simply in two or three short sentences."),
    Role(name="Skeptic", temperature=0.7, persona="You are careful. Give the answer and one thing to watch out for, in short sentences."),
    Role(name="Storyteller", temperature=0.9, persona="You are a storyteller. Answer with one short example."),
)


def document_of(offers: Sequence[Offer]) -> Document:
    """Providers, models and a council of four seats spread over them."""
    by_source = [[f"{offer.source.slug}/{name}" for name in offer.models] for offer in offers]
    # One of each provider first: the more they differ, the more a council is worth.
    mixed = [reference for reference in chain.from_iterable(zip_longest(*by_source)) if reference]
    seated = enumerate(zip(ROLES, cycle(mixed), strict=False), start=1)
    return {
        "format": FORMAT,
        "providers": [_provider(offer.source) for offer in offers],
        "models": [_model(offer.source, name) for offer in offers for name in offer.models],
        "councils": [
            {
                "slug": "first-council",
                "name": "First council",
                "description": "Four characters on every question: analyst, skeptic, practitioner, explorer.",
                "is_default": True,
                "chairman_model": mixed[0],
                "chairman_fallbacks": mixed[1:3],
                "chairman_max_tokens": 1500,
                "review_max_tokens": 1000,
                "seats": [_seat(number, role, model) | {"max_tokens": 1200} for number, (role, model) in seated],
            }
        ],
    }


def _provider(source: Source) -> Document:
    return {
        "slug": source.slug,
        "name": source.name,
        "kind": source.kind.value,
        "base_url": source.base_url,
        "api_key_env": "" if source.is_ours else source.variable,
        "allow_private_address": source.is_ours,
        **({"max_parallel_calls": 4} if source.is_ours else {}),
    }


def _model(source: Source, name: str) -> Document:
    described: Document = {"provider": source.slug, "name": name}
    if name.startswith("gpt-5"):
        # OpenAI's reasoning models take neither a temperature nor the old name of the token limit.
        described["options"] = {"max_tokens_field": "max_completion_tokens", "temperature": None}
    return described


def _seat(number: int, role: Role, model: str) -> Document:
    return {"agent_id": f"agent_{number}", "name": role.name, "model": model, "persona": role.persona, "temperature": role.temperature}


# A very small model loses the thread of the built-in prompt. The last thing it reads counts most.
SMALL_SYNTHESIS = (
    "{question}\n\n{answers}\n\n"
    "Write one good answer to the question in your own words: two or three short sentences. Start with the answer itself."
)
# It repeats itself, and copies the marks around the answers that it was shown: it stops there.
SMALL_OPTIONS = {"repeat_penalty": 1.1, "stop": ["<</", "\n<<"]}


def local_document(port: int) -> Document:
    """A council of the small model on this machine.

    Sized so that an answer of 150 words, as an example on the first page asks for, is not cut, and that a run still ends in about a minute
    on two idle cores.
    """
    model = f"{LOCAL_SLUG}/{local_model.MODEL_NAME}"
    return {
        "format": FORMAT,
        "providers": [local_provider(port)],
        "models": [
            {
                "provider": LOCAL_SLUG,
                "name": local_model.MODEL_NAME,
                "label": "SmolLM2 135M (on this machine)",
                "context_window": local_model.CONTEXT_TOKENS,
                "options": SMALL_OPTIONS,
                "cost_per_1k_input_tokens": 0,
                "cost_per_1k_output_tokens": 0,
            }
        ],
        "prompts": [{"stage": "synthesis", "name": "Small model", "text": SMALL_SYNTHESIS}],
        "councils": [
            {
                "slug": "first-council",
                "name": "First council",
                "description": "One very small model in four characters, to try the site out. Its answers are genuine but poor.",
                "is_default": True,
                "chairman_model": model,
                "chairman_temperature": 0.6,
                "chairman_max_tokens": 360,
                "top_k": 2,
                "stage3_prompt_template": "Small model",
                "review_max_tokens": 200,
                "soft_deadline_s": 60,
                "seats": [_seat(number, role, model) | {"max_tokens": 220} for number, role in enumerate(SMALL_ROLES, start=1)],
            }
        ],
    }


def local_provider(port: int) -> Document:
    """The provider entry of the small local server."""
    return {
        "slug": LOCAL_SLUG,
        "name": "This machine",
        "kind": EndpointKind.OPENAI.value,
        "base_url": f"http://{local_model.HOST}:{port}/v1",
        "allow_private_address": True,
        # llama.cpp holds the model to the limits on lengths, without which so small a one does not end its sentences.
        "options": {"strict_schema": False},
        "max_parallel_calls": local_model.PARALLEL_ANSWERS,
    }
