import pytest

from councils.engine.errors import BadRequest, ProviderError, ProviderUnavailable, StructureUnsupported
from councils.engine.types import StructuredMode
from councils.providers.structured import LADDER, demote


def test_a_model_that_declines_is_led_down_the_ladder_to_its_end() -> None:
    mode: StructuredMode | None = LADDER[0]
    seen = []
    while mode is not None:
        seen.append(mode)
        mode = demote(mode, StructureUnsupported())

    assert seen == [StructuredMode.JSON_SCHEMA, StructuredMode.JSON_OBJECT, StructuredMode.PLAIN]


@pytest.mark.parametrize("error", [BadRequest(), ProviderUnavailable()])
def test_other_errors_do_not_weaken_the_mode(error: ProviderError) -> None:
    assert demote(StructuredMode.JSON_SCHEMA, error) is None
