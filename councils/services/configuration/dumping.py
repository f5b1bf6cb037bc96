"""The stored configuration as a document that ``apply_configuration`` takes back. Secrets stay where they are."""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.db import models

from councils.models import CouncilConfiguration, CouncilMember, ModelInfo, PromptTemplate, Provider
from councils.secret_names import without_secrets
from councils.services.configuration import fields

Newest = Mapping[tuple[str, str], PromptTemplate]


def dump_configuration() -> dict[str, Any]:
    """Providers, models, prompts and councils that are not archived. Applying it where it came from changes nothing."""
    councils = list(CouncilConfiguration.objects.filter(archived_at=None).order_by("slug").with_details())
    models = ModelInfo.objects.select_related("provider").order_by("provider__slug", "name")
    newest, prompts = _prompts_for(councils, list(PromptTemplate.objects.order_by("stage", "name", "version")))
    return {
        "format": fields.FORMAT,
        "providers": [_provider(provider) for provider in Provider.objects.order_by("slug").prefetch_related("endpoints")],
        "models": [_model(model) for model in models],
        "prompts": prompts,
        "councils": [_council(council, newest) for council in councils],
    }


def dump_councils(councils: Iterable[CouncilConfiguration]) -> dict[str, Any]:
    """These councils, loaded ``with_details()``, and the prompts that they use. Providers and models must be there where it is applied."""
    chosen = list(councils)
    used = {(prompt.stage, prompt.name) for council in chosen for prompt in _prompts(council)}
    stored = [prompt for prompt in PromptTemplate.objects.order_by("stage", "name", "version") if (prompt.stage, prompt.name) in used]
    newest, prompts = _prompts_for(chosen, stored)
    return {"format": fields.FORMAT, "prompts": prompts, "councils": [_council(council, newest) for council in chosen]}


def dump_council(council: CouncilConfiguration) -> dict[str, Any]:
    """One council that was loaded ``with_details()``, with the numbers of the versions of its prompts, however many come after them."""
    return _council(council, {})


def _prompts_for(councils: Collection[CouncilConfiguration], prompts: Collection[PromptTemplate]) -> tuple[Newest, list[dict[str, Any]]]:
    """Which versions are the newest, and those that a document must hold: of a name of which an earlier one is in use, all."""
    newest = {(prompt.stage, prompt.name): prompt for prompt in prompts}
    pinned = {
        (prompt.stage, prompt.name) for council in councils for prompt in _prompts(council) if newest[prompt.stage, prompt.name] != prompt
    }
    return newest, [_prompt(p, newest) for p in prompts if (p.stage, p.name) in pinned or newest[p.stage, p.name] == p]


def _columns(row: models.Model, names: Collection[str]) -> dict[str, Any]:
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: Any) -> Any:
    # A decimal is a text here: a JSON number would go through binary digits in most readers.
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return without_secrets(value)


def _provider(provider: Provider) -> dict[str, Any]:
    endpoints = [_columns(endpoint, fields.ENDPOINT) for endpoint in provider.endpoints.all()]
    return {"slug": provider.slug, **_columns(provider, fields.PROVIDER), **({"endpoints": endpoints} if endpoints else {})}


def _model(model: ModelInfo) -> dict[str, Any]:
    return {"provider": model.provider.slug, "name": model.name, **_columns(model, fields.MODEL)}


def _prompt(prompt: PromptTemplate, newest: Newest) -> dict[str, Any]:
    # Whoever edits the text of the newest version in the file means a newer one: it has no number.
    numbered = {} if newest[prompt.stage, prompt.name] == prompt else {"version": prompt.version}
    return {"stage": prompt.stage, "name": prompt.name, **numbered, "text": prompt.text}


def _prompts(council: CouncilConfiguration) -> list[PromptTemplate]:
    return [prompt for name in fields.COUNCIL_PROMPTS if (prompt := getattr(council, name)) is not None]


def _council(council: CouncilConfiguration, newest: Newest) -> dict[str, Any]:
    return {
        "slug": council.slug,
        **_columns(council, fields.COUNCIL),
        "is_default": council.is_default,
        "chairman_model": _reference(council.chairman_model),
        "chairman_fallbacks": [_reference(fallback.model) for fallback in council.chairman_fallbacks.all()],
        **{name: _prompt_reference(getattr(council, name), newest) for name in fields.COUNCIL_PROMPTS},
        "seats": [_seat(member) for member in council.members.all()],
    }


def _seat(member: CouncilMember) -> dict[str, Any]:
    return {
        "agent_id": member.agent_id,
        "model": _reference(member.model),
        "fallback_model": None if member.fallback_model is None else _reference(member.fallback_model),
        **_columns(member, fields.SEAT),
    }


def _reference(model: ModelInfo) -> str:
    return f"{model.provider.slug}/{model.name}"


def _prompt_reference(prompt: PromptTemplate | None, newest: Newest) -> str | dict[str, Any] | None:
    if prompt is None:
        return None
    if newest.get((prompt.stage, prompt.name)) == prompt:
        return prompt.name
    return {"name": prompt.name, "version": prompt.version}
