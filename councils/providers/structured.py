"""How to ask for JSON: the strongest mode that a model is known to offer, one step down when it turns out not to."""

from councils.engine.errors import ProviderError, StructureUnsupported
from councils.engine.types import StructuredMode

LADDER = (StructuredMode.JSON_SCHEMA, StructuredMode.JSON_OBJECT, StructuredMode.PLAIN)


def first_mode(capability: StructuredMode | None) -> StructuredMode:
    """The mode to begin with, given the strongest that the model offers; unknown (``None``) tries the strongest there is."""
    return LADDER[0] if capability is None else capability


def demote(mode: StructuredMode, error: ProviderError) -> StructuredMode | None:
    """The mode to try next after ``error``; ``None`` where the mode was not the trouble or is already the weakest.

    Not a retry: the provider declined without doing any work.
    """
    if not isinstance(error, StructureUnsupported) or mode is LADDER[-1]:
        return None
    return LADDER[LADDER.index(mode) + 1]
