"""Typed access to the environment that fails with a sentence.

Each message names the variable, what it holds and what is right. Values of secrets never appear in a message.
"""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import urlsplit

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})


class EnvError(Exception):
    """A setting of the environment is missing or wrong. The message is for the operator."""


def parse_env_file(content: str, *, name: str = ".env") -> dict[str, str]:
    """Variables of an env file: ``KEY=value`` lines, comments, optional quotes. Nothing is expanded, ``${X}`` stays as it is.

    Raises ``EnvError`` with the number of the first line that is neither.
    """
    found: dict[str, str] = {}
    for number, raw in enumerate(content.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        key = key.removeprefix("export ").strip()
        if not equals or not key.isidentifier():
            raise EnvError(f"Line {number} of {name} is not a setting: write NAME=value, or start the line with #.")
        found[key] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value


class Env:
    """Reads settings from a mapping; what is missing or empty takes its default.

    ``names`` holds every variable that was asked for, which a test compares with ``.env.example``.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.names: set[str] = set()

    @classmethod
    def load(cls, directory: Path) -> "Env":
        """The process environment, filled up from ``ENV_FILE`` (default ``.env`` in the directory) if there is one.

        What the file says is put into the process environment, since providers may name a variable that holds their key.
        """
        file = directory / os.environ.get("ENV_FILE", ".env")
        if file.is_file():
            for name, value in parse_env_file(file.read_text("utf-8"), name=file.name).items():
                os.environ.setdefault(name, value)
        return cls(os.environ)

    def _raw(self, name: str) -> str:
        self.names.add(name)
        return self._values.get(name, "").strip()

    def text(self, name: str, default: str = "") -> str:
        return self._raw(name) or default

    def secret(self, name: str) -> str | None:
        """A value that must not be printed; ``None`` where it is not set."""
        return self._raw(name) or None

    def secrets(self, name: str) -> list[str]:
        """Values that must not be printed, separated by commas."""
        return [part.strip() for part in self._raw(name).split(",") if part.strip()]

    def boolean(self, name: str, default: bool) -> bool:
        raw = self._raw(name)
        if not raw:
            return default
        if raw.lower() in TRUE_WORDS | FALSE_WORDS:
            return raw.lower() in TRUE_WORDS
        raise EnvError(f"{name} is {raw!r}. Use true or false.")

    def integer(self, name: str, default: int, *, least: int | None = None, most: int | None = None) -> int:
        raw = self._raw(name)
        if not raw:
            return default
        try:
            value = int(raw)
        except ValueError:
            raise EnvError(f"{name} is {raw!r}. Use a whole number{_bounds(least, most)}.") from None
        if _outside(value, least, most):
            raise EnvError(f"{name} is {value}. Use a whole number{_bounds(least, most)}.")
        return value

    def number(self, name: str, default: float, *, least: float | None = None, most: float | None = None) -> float:
        raw = self._raw(name)
        if not raw:
            return default
        try:
            value = float(raw)
        except ValueError:
            value = float("nan")
        # Only finite numbers are equal to themselves when subtracted: this refuses nan and both infinities.
        if value - value != 0 or _outside(value, least, most):
            raise EnvError(f"{name} is {raw!r}. Use a number{_bounds(least, most)}.")
        return value

    def choice(self, name: str, default: str, *, among: Collection[str]) -> str:
        raw = self._raw(name) or default
        if raw not in among:
            raise EnvError(f"{name} is {raw!r}. Use one of: {', '.join(sorted(among))}.")
        return raw

    def items(self, name: str, default: Collection[str] = ()) -> list[str]:
        """A list, separated by commas; empty parts are dropped."""
        return [part.strip() for part in self._raw(name).split(",") if part.strip()] or list(default)


def _outside(value: float, least: float | None, most: float | None) -> bool:
    return (least is not None and value < least) or (most is not None and value > most)


def _bounds(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f" from {least} to {most}"
    if least is not None:
        return f" of at least {least}"
    return "" if most is None else f" of at most {most}"


def host_and_port(url: str) -> str:
    """``host:port`` of an http address, with the scheme's port where none is written."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise EnvError(f"{url!r} is not an address of a server. Write http://host:port.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
