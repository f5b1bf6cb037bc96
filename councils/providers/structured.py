"""How to ask for JSON: one step down when a model turns out not to offer the mode that it was asked in. And whether it was given."""

from collections.abc import Mapping
from typing import Any

import orjson
from jsonschema import Draft202012Validator

from councils.engine.errors import ProviderError, StructureUnsupported
from councils.engine.types import StructuredMode

LADDER = (StructuredMode.JSON_SCHEMA, StructuredMode.JSON_OBJECT, StructuredMode.PLAIN)


def demote(mode: StructuredMode, error: ProviderError) -> StructuredMode | None:
    """The mode to try next after ``error``; ``None`` where the mode was not the trouble or is already the weakest.

    Not a retry: the provider declined without doing any work.
    """
    if not isinstance(error, StructureUnsupported) or mode is LADDER[-1]:
        return None
    return LADDER[LADDER.index(mode) + 1]


def fits_schema(text: str, schema: Mapping[str, Any]) -> bool:
    """Whether ``text`` is JSON, nothing but JSON, and as the schema says."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return bool(Draft202012Validator(schema).is_valid(value))
