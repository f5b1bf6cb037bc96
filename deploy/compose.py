"""The compose file as Docker would read it: merged, with its variables filled in."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
MAIN = "docker-compose.yml"
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>[A-Za-z_]\w*)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\})")


class Unset(Exception):
    """A variable that must be set is not. The message is the compose file's own."""


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with ``${NAME}``, ``${NAME:-default}`` and ``${NAME:?message}`` replaced and ``$$`` as one dollar.

    Raises ``Unset`` with the message where a variable must be set.
    """

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match["name"], match["kind"], match["rest"]
        if name is None:
            return "$"
        if values.get(name):
            return values[name]
        if kind == "?":
            raise Unset(rest)
        return rest or ""

    return _VARIABLE.sub(value, text)


def read_compose(values: Mapping[str, str] | None = None, *, file: str = MAIN) -> dict[str, Any]:
    """The file's document; with ``values``, every text in it is filled in."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / file).read_text())
    return loaded if values is None else _filled_all(loaded, values)


def _filled_all(node: Any, values: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _filled_all(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled_all(value, values) for value in node]
    return filled(node, values) if isinstance(node, str) else node
