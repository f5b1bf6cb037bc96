"""Telling a secret by its name, so that none ends up in a file or comes out of one."""

import re
from collections.abc import Iterator
from typing import Any

# Words, not parts of words: max_tokens_field and token_limit hold numbers, api_key and auth-token hold secrets.
_SECRET = re.compile(
    r"(?i)(?:^|[_-])(?:api[_-]?key|apikey|access[_-]?key|private[_-]?key|key|secret|password|passwd|token|bearer|authorization|cookie|credentials?)$"
)


def looks_secret(name: str) -> bool:
    """Whether a field of this name would hold a secret."""
    return bool(_SECRET.search(name))


def secret_names(value: Any, path: str = "") -> Iterator[str]:
    """Paths of all secret-looking names inside a JSON value, for instance ``headers.Authorization``."""
    if isinstance(value, dict):
        for name, inner in value.items():
            here = f"{path}.{name}" if path else str(name)
            if looks_secret(str(name)):
                yield here
            else:
                yield from secret_names(inner, here)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from secret_names(inner, f"{path}[{number}]")


def without_secrets(value: Any) -> Any:
    """The JSON value without its secret-looking fields."""
    if isinstance(value, dict):
        return {name: without_secrets(inner) for name, inner in value.items() if not looks_secret(str(name))}
    if isinstance(value, list):
        return [without_secrets(inner) for inner in value]
    return value
