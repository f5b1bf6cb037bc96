"""Models to ask, without rows."""

from decimal import Decimal

from councils.engine.types import StructuredMode
from councils.snapshot import EndpointTarget, ModelTarget


def target(*limits: int, provider_id: int = 1, name: str = "m") -> ModelTarget:
    """A model at addresses ``http://a``, ``http://b`` and so on, which take so many calls at once."""
    endpoints = tuple(
        EndpointTarget(base_url=f"http://{host}", allow_private_address=False, max_parallel_calls=limit)
        for host, limit in zip("abcdefgh", limits, strict=False)
    )
    return ModelTarget(
        model_id=1,
        name=name,
        label="M",
        provider_id=provider_id,
        provider_name="P",
        kind="openai",
        endpoints=endpoints,
        api_key_env="",
        options={},
        structured_mode=StructuredMode.JSON_SCHEMA,
        max_output_tokens=None,
        input_price=Decimal(0),
        output_price=Decimal(0),
    )
