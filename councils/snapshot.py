"""The frozen configuration of a run: made once when it starts, read by whoever runs or shows it.

Editing or deleting a council, a prompt, a price or a provider never changes a run that has begun. Keys of providers are not in
here: they travel sealed, in a column of their own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
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
from councils.models import CouncilConfiguration, CouncilMember, ModelInfo, PromptTemplate

FORMAT = 1
MAX_HISTORY_CHARS = 32_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTarget:
    """Where a model is asked and what it costs (USD per 1,000 tokens; ``None`` is unknown)."""

    model_id: int
    name: str
    label: str
    provider_id: int
    provider_name: str
    kind: str
    base_url: str
    api_key_env: str
    allow_private_address: bool
    max_parallel_calls: int
    options: Mapping[str, Any]
    structured_mode: StructuredMode
    max_output_tokens: int | None
    input_price: Decimal | None
    output_price: Decimal | None

    @classmethod
    def of(cls, model: ModelInfo) -> Self:
        provider = model.provider
        return cls(
            model_id=model.pk,
            name=model.name,
            label=model.display_name,
            provider_id=provider.pk,
            provider_name=provider.name,
            kind=provider.kind,
            base_url=provider.base_url,
            api_key_env=provider.api_key_env,
            allow_private_address=provider.allow_private_address,
            max_parallel_calls=provider.max_parallel_calls,
            options={**provider.options, **model.options},
            structured_mode=StructuredMode(model.structured_mode),
            max_output_tokens=model.max_output_tokens,
            input_price=model.cost_per_1k_input_tokens,
            output_price=model.cost_per_1k_output_tokens,
        )

    @property
    def host_port(self) -> str:
        """``host:port`` of the base address, as egress rules name it."""
        parts = urlsplit(self.base_url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

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
        known = {f.name: data[f.name] for f in fields(cls)}
        for name in ("input_price", "output_price"):
            known[name] = None if known[name] is None else Decimal(known[name])
        known["structured_mode"] = StructuredMode(known["structured_mode"])
        return cls(**known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A council as one run sees it. ``models`` maps the engine's model keys to where they are asked."""

    spec: CouncilSpec
    models: Mapping[str, ModelTarget]

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, "spec": asdict(self.spec), "models": {key: m.to_json() for key, m in self.models.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        if data.get("format") != FORMAT:
            raise ValueError(f"This run was recorded in format {data.get('format')!r}; this version reads {FORMAT}.")
        return cls(spec=spec_from_json(data["spec"]), models={key: ModelTarget.from_json(m) for key, m in data["models"].items()})


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
    return Snapshot(spec=spec, models={model_key(model): ModelTarget.of(model) for model in asked})


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
