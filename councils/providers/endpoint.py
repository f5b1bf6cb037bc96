"""Where a provider lives and how it is addressed."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# Shorter keys are placeholders ("ollama", "none"): hiding them would only mutilate answers.
SECRET_MIN_CHARS = 8
CREDENTIAL_HEADER = re.compile(r"auth|key|token|secret|cookie|password|signature", re.IGNORECASE)


class EndpointKind(StrEnum):
    OPENAI = "openai"
    OLLAMA = "ollama"
    ANTHROPIC = "anthropic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One address that serves models.

    ``base_url`` is what the provider's own documentation calls so (``https://api.openai.com/v1``, ``http://ollama:11434``,
    ``https://api.anthropic.com``). ``headers`` are sent with every request, after ours, so they may replace them.

    ``extra`` is merged into every request body, over our own fields; a value of ``None`` removes a field that a server does not know
    (``{"temperature": None}``). Three names are options of ours and never sent: ``max_tokens_field`` names the field for the token
    limit (``max_completion_tokens`` for OpenAI's reasoning models), ``api_version`` is Anthropic's version header, ``strict_schema`` false
    sends a JSON schema whole, for servers that honour limits on lengths, which OpenAI's strict mode refuses (llama.cpp).

    Where a request has a token limit, ``extra`` may make it smaller, never larger, and cannot remove it: so much was held to pay for it.
    """

    base_url: str
    kind: EndpointKind = EndpointKind.OPENAI
    api_key: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def url(self, path: str, *, drop: str = "") -> str:
        """The address of ``path`` under the base, whether or not people wrote the prefix ``drop`` that the path brings along.

        A query stays at the end (Azure's ``?api-version=``).
        """
        base, mark, query = self.base_url.partition("?")
        return base.rstrip("/").removesuffix(drop).rstrip("/") + path + mark + query

    def secrets(self) -> tuple[str, ...]:
        """What must appear in no error, log or answer: the key, and the values of headers that carry one, longest first."""
        carriers = (value for name, value in self.headers.items() if CREDENTIAL_HEADER.search(name))
        tokens = {word for value in carriers for word in value.split()} | {self.api_key.strip()}
        return tuple(sorted((token for token in tokens if len(token) >= SECRET_MIN_CHARS), key=len, reverse=True))


OWN_OPTIONS = frozenset({"max_tokens_field", "api_version", "strict_schema"})
# What is asked, of which model, and how many answers are paid for: a budget has held the price of one answer of this model.
SEALED = frozenset({"model", "models", "fallbacks", "messages", "system", "prompt", "stream", "n", "best_of", "candidate_count"})


def is_sealed(name: str) -> bool:
    """Whether no option may set this field. Some servers (Ollama) read the names of fields in any case."""
    return name.casefold() in SEALED


def with_extra(body: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """``body`` with the endpoint's ``extra`` over it; nested objects are merged one level deep (Ollama's ``options``).

    Fields that are ``SEALED`` stay as they are, also where an older version stored such an option.
    """
    for name, value in extra.items():
        if name in OWN_OPTIONS or is_sealed(name):
            continue
        if value is None:
            body.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(body.get(name), dict):
            body[name] = {**body[name], **value}
        else:
            body[name] = value
    return body


def keep_limit(fields: dict[str, Any], names: Iterable[str], limit: int | None) -> None:
    """See to it that none of these fields, by which a server may be told its token limit, allows more than ``limit`` (``None``: any).

    Where none of them is there any more, the first one is put back.
    """
    if limit is None:
        return
    first, *others = names
    for name in (name for name in others if name in fields):
        fields[name] = _smaller(fields[name], limit)
    if first in fields or not any(name in fields for name in others):
        fields[first] = _smaller(fields.get(first), limit)


def _smaller(wanted: Any, limit: int) -> int:
    """What is not a count above zero means "no limit" somewhere (``-1`` at Ollama, ``null``)."""
    is_count = isinstance(wanted, int) and not isinstance(wanted, bool) and wanted > 0
    return min(wanted, limit) if is_count else limit
