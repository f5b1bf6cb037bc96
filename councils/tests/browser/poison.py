"""Hostile text in every field that a person, a model, a provider or the staff can fill."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db.models import CharField, DateField, DateTimeField, Field, ForeignKey, JSONField, Model, TextField, UniqueConstraint
from django.utils import timezone

PAYLOADS: list[str] = [
    text.replace("\x00", "") for text in json.loads((Path(__file__).parents[1] / "data" / "hostile_markdown.json").read_text("utf-8"))
]

OURS: Mapping[str, frozenset[str]] = {
    "AnswerPick": frozenset({"candidate", "shown"}),
    "ApiKey": frozenset({"public_id", "prefix", "key_hash"}),
    "AuditEntry": frozenset({"kind", "object_id"}),
    "CachedResponse": frozenset({"cache_key", "prompt_hash"}),
    "Conversation": frozenset({"public_id"}),
    "CouncilConfiguration": frozenset({"slug"}),
    "CouncilMember": frozenset({"agent_id"}),
    "CouncilRun": frozenset(
        {"public_id", "member", "sealed_keys", "reason_code", "marks", "answer_by", "worker", "idempotency_key", "request_hash"}
    ),
    "LedgerEntry": frozenset({"account"}),
    "Message": frozenset({"public_id"}),
    "ModelCall": frozenset({"public_id", "prompt_hash", "structured_mode", "finish_reason", "error_kind", "findings"}),
    "Provider": frozenset({"slug", "api_key_sealed"}),
    "RateLimitLog": frozenset({"endpoint"}),
    "RunStep": frozenset({"key", "agent_id", "error_kind", "finish_reason"}),
    "User": frozenset({"password"}),
}
"""What only our own code writes, from closed sets or by chance; slugs are letters, digits and hyphens by every door."""

FREE_IN_JSON = frozenset(
    ("name", "label", "persona", "provider_name", "base_url", "api_key_env", "reasoning", "problem", "notes", "said", "text", "answer")
)
"""The keys within stored JSON whose values are free text."""


def free_fields(model: type[Model]) -> Iterator[Field[Any, Any]]:
    """The fields of this table that others can fill with text."""
    for field in model._meta.concrete_fields:
        is_text = isinstance(field, CharField | TextField | JSONField)
        if is_text and not field.choices and field.name not in OURS.get(model.__name__, ()):
            yield field


def tables() -> list[type[Model]]:
    """The tables of the product that hold free text."""
    ours = [model for app in ("councils", "analytics") for model in apps.get_app_config(app).get_models()]
    return [model for model in ours if not model._meta.proxy and any(free_fields(model))]


def fill(model: type[Model]) -> None:
    """One row in a table that nothing else fills, with what its columns need."""
    fields = [field for field in model._meta.concrete_fields if not (field.primary_key or field.null or field.has_default())]
    model._default_manager.create(**{field.name: _plain_value(field) for field in fields})


def _plain_value(field: Field[Any, Any]) -> Any:
    if isinstance(field, ForeignKey):
        return field.related_model._default_manager.latest("pk")
    if field.choices:
        return field.flatchoices[0][0]
    if isinstance(field, DateTimeField):
        return timezone.now()
    if isinstance(field, DateField):
        return timezone.now().date()
    if isinstance(field, CharField | TextField):
        return "plain"
    return {} if isinstance(field, JSONField) else 1


def poison() -> None:
    """Write payloads into every free field of every row, past all validation. The row and the field decide which one it gets."""
    for model in tables():
        fields = list(free_fields(model))
        for place, row in enumerate(model._base_manager.order_by("pk")):
            values = {field.name: _poisoned(field, getattr(row, field.name), place + turn, row) for turn, field in enumerate(fields)}
            model._base_manager.filter(pk=row.pk).update(**values)


def _poisoned(field: Field[Any, Any], value: Any, turn: int, row: Model) -> Any:
    if isinstance(field, JSONField):
        return _in_json(value, turn)
    text = PAYLOADS[turn % len(PAYLOADS)]
    most = field.max_length or len(text)
    return text[: most - 8] + f" {row.pk}" if _is_unique(field) else text[:most]


def _is_unique(field: Field[Any, Any]) -> bool:
    together = [constraint.fields for constraint in field.model._meta.constraints if isinstance(constraint, UniqueConstraint)]
    return field.unique or any(field.name in names for names in together)


def _in_json(value: Any, turn: int, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _in_json(item, turn + place, name) for place, (name, item) in enumerate(value.items())}
    if isinstance(value, list):
        return [_in_json(item, turn + place, key) for place, item in enumerate(value)]
    return PAYLOADS[turn % len(PAYLOADS)] if key in FREE_IN_JSON and isinstance(value, str) else value
