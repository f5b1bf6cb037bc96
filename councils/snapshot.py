"""The frozen configuration of a run: made once when it starts, read by whoever runs or shows it.

Editing or deleting a council, a prompt, a price or a provider never changes a run that has begun. Keys of providers are not in
here: they travel sealed, in a column of their own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self
from urllib.parse import urlsplit

from councils.engine.prompts import DEFAULT_PROMPTS
from councils.engine.types import (
    ChairmanMode,
    CouncilSpec,
    PromptSet,
    Seat,
    StructuredMode,
    Usage,
    VotingSystem,
)
from councils.models import CouncilConfiguration, CouncilMember, ModelInfo, PromptTemplate, Provider

FORMAT = 1
MAX_HISTORY_CHARS = 32_000


class CacheUse(StrEnum):
    """What a run does with the cache: nothing, keep its answers for others (its own shall be new), or also take answers from it."""

    OFF = "off"
    WRITE = "write"
    FULL = "full"


class UnreadableSnapshot(ValueError):
    """Another version of this software recorded the run: what it says can be shown, but not understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointTarget:
    """One address of a provider."""

    base_url: str
    allow_private_address: bool
    max_parallel_calls: int

    @classmethod
    def of(cls, row: Provider) -> Self:
        return cls(base_url=row.base_url, allow_private_address=row.allow_private_address, max_parallel_calls=row.max_parallel_calls)

    @property
    def host_port(self) -> str:
        """``host:port`` of the base address, as egress rules name it."""
        parts = urlsplit(self.base_url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How a provider is reached: in its dialect, at its addresses (the first one counts of equal ones), with its key."""

    kind: str
    api_key_env: str
    endpoints: tuple[EndpointTarget, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTarget:
    """Where a model is asked and what it costs (USD per 1,000 tokens; ``None`` is unknown)."""

    model_id: int
    name: str
    label: str
    provider_id: int
    provider_name: str
    kind: str
    endpoints: tuple[EndpointTarget, ...]
    api_key_env: str
    options: Mapping[str, Any]
    structured_mode: StructuredMode
    max_output_tokens: int | None
    input_price: Decimal | None
    output_price: Decimal | None
    provider_slug: str = ""

    @classmethod
    def of(cls, model: ModelInfo) -> Self:
        provider = model.provider
        return cls(
            model_id=model.pk,
            name=model.name,
            label=model.display_name,
            provider_id=provider.pk,
            provider_name=provider.name,
            provider_slug=provider.slug,
            kind=provider.kind,
            endpoints=(EndpointTarget.of(provider),),
            api_key_env=provider.api_key_env,
            options={**provider.options, **model.options},
            structured_mode=StructuredMode(model.structured_mode),
            max_output_tokens=model.max_output_tokens,
            input_price=model.cost_per_1k_input_tokens,
            output_price=model.cost_per_1k_output_tokens,
        )

    def through(self, door: Door) -> Self:
        return replace(self, kind=door.kind, api_key_env=door.api_key_env, endpoints=_unique(door.endpoints))

    @property
    def has_prices(self) -> bool:
        return self.input_price is not None and self.output_price is not None

    def cost(self, usage: Usage) -> Decimal | None:
        """USD for this usage at the snapshot's prices; ``None`` where a price or a count is unknown.

        A model that costs nothing costs nothing however many tokens it took.
        """
        if self.input_price == 0 and self.output_price == 0:
            return Decimal(0)
        if usage.prompt_tokens is None or usage.completion_tokens is None or self.input_price is None or self.output_price is None:
            return None
        return (self.input_price * usage.prompt_tokens + self.output_price * usage.completion_tokens) / 1000

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        for name in ("input_price", "output_price"):
            data[name] = None if data[name] is None else str(data[name])
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        known = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        # A run that an earlier version began had one address.
        known["endpoints"] = tuple(EndpointTarget(**_only(EndpointTarget, part)) for part in data.get("endpoints", [data]))
        for name in ("input_price", "output_price"):
            known[name] = None if known[name] is None else Decimal(known[name])
        known["structured_mode"] = StructuredMode(known["structured_mode"])
        return cls(**known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A council as one run sees it. ``models`` maps the engine's model keys to where they are asked.

    ``prompt_ids`` are the stored versions whose texts it has: the record names them, nothing is read from there.
    """

    spec: CouncilSpec
    models: Mapping[str, ModelTarget]
    cache: CacheUse = CacheUse.OFF
    prompt_ids: tuple[int, ...] = ()

    def with_doors(self, doors: Mapping[int, Door]) -> Self:
        """The same through these doors, by provider. A provider without one keeps its own."""
        found = {key: doors.get(model.provider_id) for key, model in self.models.items()}
        models = {key: model.through(door) if (door := found[key]) else model for key, model in self.models.items()}
        return replace(self, models=models)

    def to_json(self) -> dict[str, Any]:
        models = {key: model.to_json() for key, model in self.models.items()}
        rest = {"cache": self.cache.value, "prompt_ids": list(self.prompt_ids)}
        return {"format": FORMAT, "spec": asdict(self.spec), "models": models, **rest}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` wrote. Raises ``UnreadableSnapshot`` for another format."""
        if data.get("format") != FORMAT:
            raise UnreadableSnapshot(f"This run was recorded in format {data.get('format')!r}; this version reads {FORMAT}.")
        try:
            models = {key: ModelTarget.from_json(m) for key, m in data["models"].items()}
            prompts = tuple(int(pk) for pk in data.get("prompt_ids", ()))
            cache = CacheUse(data.get("cache", CacheUse.OFF))
            return cls(spec=spec_from_json(data["spec"]), models=models, cache=cache, prompt_ids=prompts)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UnreadableSnapshot(f"This run was recorded in a form that this version does not read: {error!r}.") from error

    def of_member(self, agent_id: str) -> Self:
        """The same council reduced to one seat that answers alone. ``KeyError`` where no such seat answers."""
        seat = next((seat for seat in self.spec.answering() if seat.agent_id == agent_id), None)
        if seat is None:
            raise KeyError(agent_id)
        alone = replace(self.spec, seats=(replace(seat, reviews=False),), chairman=(), min_models=1, quorum=1)
        spec = replace(alone, enable_peer_review=False, extra_round=False)
        return replace(self, spec=spec, models={key: self.models[key] for key in (seat.model, *seat.fallbacks)})


def _unique(endpoints: Iterable[EndpointTarget]) -> tuple[EndpointTarget, ...]:
    """One for each address; the first one counts."""
    by_address: dict[str, EndpointTarget] = {}
    for endpoint in endpoints:
        by_address.setdefault(endpoint.base_url, endpoint)
    return tuple(by_address.values())


def _only(cls: type[EndpointTarget], data: Mapping[str, Any]) -> dict[str, Any]:
    return {f.name: data[f.name] for f in fields(cls)}


def spec_from_json(data: Mapping[str, Any]) -> CouncilSpec:
    """The spec that ``dataclasses.asdict`` wrote. Fields that a newer version added take their defaults."""
    known = {f.name: data[f.name] for f in fields(CouncilSpec) if f.name in data}
    known["seats"] = tuple(Seat(**{**seat, "fallbacks": tuple(seat["fallbacks"])}) for seat in data["seats"])
    known["chairman"] = tuple(data["chairman"])
    known["prompts"] = PromptSet(**data["prompts"])
    known["voting_system"] = VotingSystem(data["voting_system"])
    known["chairman_mode"] = ChairmanMode(data["chairman_mode"])
    return CouncilSpec(**known)


def model_key(model: ModelInfo) -> str:
    return f"m{model.pk}"


def take_snapshot(council: CouncilConfiguration, *, seed: str) -> Snapshot:
    """Freeze a council that was loaded ``with_details()``. Seats whose model is switched off are left out or use their fallback."""
    fallbacks = [fallback.model for fallback in council.chairman_fallbacks.all()]
    return snapshot_of(council, council.members.all(), fallbacks, seed=seed)


def snapshot_of(council: CouncilConfiguration, seats: Iterable[CouncilMember], fallbacks: Iterable[ModelInfo], *, seed: str) -> Snapshot:
    """The same from parts, for a council that is not stored yet."""
    members = [m for m in seats if _usable(_candidates(m))]
    chairs = _usable([council.chairman_model, *fallbacks])
    asked = [*chairs, *(model for m in members for model in _usable(_candidates(m)))]
    spec = CouncilSpec(
        name=council.name,
        seed=seed,
        seats=tuple(_seat(member) for member in members),
        chairman=tuple(model_key(model) for model in chairs),
        prompts=PromptSet(
            opinion=_text(council.stage1_prompt_template, DEFAULT_PROMPTS.opinion),
            review=_text(council.stage2_prompt_template, DEFAULT_PROMPTS.review),
            synthesis=_text(council.stage3_prompt_template, DEFAULT_PROMPTS.synthesis),
        ),
        voting_system=VotingSystem(council.voting_system),
        chairman_mode=ChairmanMode(council.chairman_mode),
        enable_peer_review=council.enable_peer_review,
        anonymous=council.peer_review_anonymous,
        min_models=council.min_models,
        quorum=council.quorum,
        top_k=council.top_k,
        chairman_temperature=council.chairman_temperature,
        chairman_max_tokens=council.chairman_max_tokens,
        review_max_tokens=council.review_max_tokens,
        soft_deadline_min_s=council.soft_deadline_s,
        stage_deadline_s=council.stage_deadline_s,
        run_deadline_s=council.run_deadline_s,
        history_chars=_history_room(asked),
        extra_round=council.extra_round,
        skip_review_when_closed_form_agrees=council.skip_review_when_agreed,
    )
    prompts = (council.stage1_prompt_template, council.stage2_prompt_template, council.stage3_prompt_template)
    ids = tuple(prompt.pk for prompt in prompts if prompt is not None)
    return Snapshot(spec=spec, models={model_key(model): ModelTarget.of(model) for model in asked}, prompt_ids=ids)


def _candidates(member: CouncilMember) -> list[ModelInfo]:
    return [model for model in (member.model, member.fallback_model) if model is not None]


def _usable(models: Iterable[ModelInfo]) -> list[ModelInfo]:
    return [model for model in models if model.is_active and model.provider.is_active]


def _seat(member: CouncilMember) -> Seat:
    first, *rest = (model_key(model) for model in _usable(_candidates(member)))
    return Seat(
        agent_id=member.agent_id,
        name=member.name,
        model=first,
        fallbacks=tuple(rest),
        persona=member.persona,
        temperature=member.temperature,
        max_tokens=member.max_tokens,
        weight=float(member.weight),
        answers=member.answers,
        reviews=member.reviews,
    )


def _history_room(models: Iterable[ModelInfo]) -> int:
    """Characters of history that leave half of the smallest known context window to everything else, at four characters a token."""
    windows = [model.context_window for model in models if model.context_window]
    return min([MAX_HISTORY_CHARS, *(2 * window for window in windows)])


def _text(template: PromptTemplate | None, default: str) -> str:
    return default if template is None else template.text
