"""What a browser sends from the admin's forms."""

from collections.abc import Mapping
from typing import Any

from councils.models import CouncilConfiguration, ModelInfo, Provider


def sent(**fields: Any) -> dict[str, str]:
    """POST data; ``None`` and ``False`` are left out, as a browser leaves out an unticked box."""
    return {name: "on" if value is True else str(value) for name, value in fields.items() if value is not None and value is not False}


def provider_form(**fields: Any) -> dict[str, str]:
    plain = {
        "name": "Acme",
        "slug": "acme",
        "kind": "openai",
        "base_url": "https://api.acme.example/v1",
        "is_active": True,
        "max_parallel_calls": 8,
        "options": "{}",
        "api_key": "",
        "api_key_env": "",
        "endpoints-TOTAL_FORMS": 0,
        "endpoints-INITIAL_FORMS": 0,
    }
    return sent(**(plain | fields))


def endpoint_rows(*rows: Mapping[str, Any], stored: int = 0) -> dict[str, Any]:
    """The table of further addresses with these rows, the first ``stored`` of which are there already."""
    table: dict[str, Any] = {"endpoints-TOTAL_FORMS": len(rows), "endpoints-INITIAL_FORMS": stored}
    for number, row in enumerate(rows):
        plain = {"max_parallel_calls": 8, "is_active": True}
        table |= {f"endpoints-{number}-{name}": value for name, value in (plain | dict(row)).items()}
    return table


def provider_form_of(provider: Provider, **fields: Any) -> dict[str, str]:
    """The form as it stands when the provider is opened."""
    names = ("name", "slug", "kind", "base_url", "is_active", "max_parallel_calls", "api_key_env", "allow_private_address")
    return provider_form(**({name: getattr(provider, name) for name in names} | fields))


def model_form(provider: Provider, **fields: Any) -> dict[str, str]:
    plain = {"provider": provider.pk, "name": "small", "label": "", "structured_mode": "json_schema", "options": "{}", "is_active": True}
    plain |= {"prices-TOTAL_FORMS": 0, "prices-INITIAL_FORMS": 0}
    return sent(**(plain | fields))


def council_form(
    model: ModelInfo,
    *,
    seats: int = 3,
    stored: CouncilConfiguration | None = None,
    members: Mapping[str, object] | None = None,
    **fields: Any,
) -> dict[str, str]:
    """A council with ``seats`` seats of one model; those of ``stored`` first, so that the form changes them.

    ``members`` changes single fields of seats, for instance ``{"1-persona": "Doubt."}``.
    """
    plain: dict[str, Any] = {
        "name": "Quick",
        "slug": "quick",
        "description": "",
        "is_active": True,
        "is_default": bool(stored and CouncilConfiguration.objects.filter(pk=stored.pk, is_default=True).exists()),
        "use_cache": True,
        "enable_peer_review": True,
        "peer_review_anonymous": True,
        "voting_system": "ranked_choice",
        "chairman_model": model.pk,
        "chairman_mode": "hybrid",
        "top_k": 3,
        "min_models": 3,
        "quorum": 2,
        "soft_deadline_s": 10,
        "stage_deadline_s": 120,
        "run_deadline_s": 300,
    }
    kept = list(stored.members.all()) if stored else []
    rows = {f"members-{place}-{name}": value for place in range(seats) for name, value in _seat(place, model).items()}
    rows |= {f"members-{place}-id": member.pk for place, member in enumerate(kept)}
    rows |= {f"members-{place}-council": stored.pk for place in range(len(kept)) if stored}
    management = {
        "members-TOTAL_FORMS": seats,
        "members-INITIAL_FORMS": len(kept),
        "chairman_fallbacks-TOTAL_FORMS": 0,
        "chairman_fallbacks-INITIAL_FORMS": 0,
    }
    changes = {f"members-{name}": value for name, value in (members or {}).items()}
    return sent(**(plain | rows | management | changes | fields))


def _seat(place: int, model: ModelInfo) -> dict[str, Any]:
    return {
        "name": f"Seat {place + 1}",
        "agent_id": f"agent_{place + 1}",
        "position": place,
        "model": model.pk,
        "persona": "",
        "weight": 1,
        "answers": True,
        "reviews": True,
    }
