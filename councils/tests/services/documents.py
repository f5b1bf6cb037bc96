"""A small configuration document to start from."""

from copy import deepcopy
from typing import Any

DOCUMENT: dict[str, Any] = {
    "format": 1,
    "providers": [
        {"slug": "acme", "name": "Acme", "kind": "openai", "base_url": "https://api.acme.example/v1", "api_key_env": "ACME_API_KEY"}
    ],
    "models": [
        {
            "provider": "acme",
            "name": "org/small",
            "label": "Small",
            "cost_per_1k_input_tokens": 0.0004,
            "cost_per_1k_output_tokens": "0.0016",
            "structured_mode": "json_object",
        },
        {"provider": "acme", "name": "large", "cost_per_1k_input_tokens": 0.003, "cost_per_1k_output_tokens": 0.015},
    ],
    "prompts": [{"stage": "opinions", "name": "brief", "text": "Answer briefly.\n\n{question}"}],
    "councils": [
        {
            "slug": "quick",
            "name": "Quick",
            "chairman_model": "acme/large",
            "chairman_fallbacks": ["acme/org/small"],
            "stage1_prompt_template": "brief",
            "seats": [
                {"agent_id": "agent_1", "name": "Skeptic", "model": "acme/org/small", "persona": "Doubt.", "weight": 1.5},
                {"agent_id": "agent_2", "name": "Builder", "model": "acme/large", "fallback_model": "acme/org/small"},
                {"agent_id": "agent_3", "name": "Teacher", "model": "acme/org/small", "temperature": 1},
            ],
        }
    ],
}


def document() -> dict[str, Any]:
    """A fresh copy of a valid document: one provider, two models, one prompt, one council of three."""
    return deepcopy(DOCUMENT)
