"""From a JSON document to typed values, with every complaint at its place (``councils[0].seats[2].model``)."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from councils.secret_names import looks_secret, secret_names

MOST_CHOICES = 20
DEEPEST = 32
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
NO_SECRETS = "Secrets do not belong in a configuration file. Name an environment variable in api_key_env, or enter the key in the admin."


class ConfigurationRejected(Exception):
    """The configuration was not applied; nothing has changed. ``problems`` holds one sentence per fault, beginning with its place."""

    def __init__(self, problems: Collection[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def parse_document(text: str) -> dict[str, Any]:
    """The document as a mapping. Raises ``ConfigurationRejected`` for bad JSON, a name given twice, and numbers that are none."""
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_not_a_number)
    except (ValueError, RecursionError) as error:
        raise ConfigurationRejected([f"This is not a JSON document: {error}."]) from error
    if not isinstance(document, dict):
        raise ConfigurationRejected(['The document must be an object, for instance {"format": 1, "providers": []}.'])
    check_storable(document)
    return document


def check_storable(document: dict[str, Any]) -> None:
    """Escapes bring in what no text in a database holds, and what is nested without end is no configuration.

    Raises ``ConfigurationRejected``.
    """
    waiting: list[tuple[Any, int]] = [(document, 1)]
    while waiting:
        part, depth = waiting.pop()
        if depth > DEEPEST:
            raise ConfigurationRejected([f"This is nested too deeply: at most {DEEPEST} levels."])
        if isinstance(part, str) and UNSTORABLE.search(part):
            raise ConfigurationRejected([r"This holds characters that cannot be stored, such as \u0000 or half of a pair. Remove them."])
        inner = [*part, *part.values()] if isinstance(part, dict) else part if isinstance(part, list) else ()
        waiting += [(one, depth + 1) for one in inner]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} is given twice in one object")
        found[name] = value
    return found


def _not_a_number(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of the document and where it stands. Complaints of all entries are collected in one list."""

    place: str
    data: Mapping[str, Any]
    problems: list[str]
    root: Mapping[str, Any] = field(default_factory=dict)

    def at(self, field: str) -> str:
        return ".".join(part for part in (self.place, field) if part)

    def blame(self, message: str, field: str = "") -> None:
        self.problems.append(f"{self.at(field)}: {message}" if self.at(field) else message)

    def is_described(self, section: str, **names: object) -> bool:
        """Whether the document describes a row of these names itself. If there is none all the same, its own faults were told already."""
        rows = self.root.get(section, [])
        return isinstance(rows, list) and any(
            isinstance(row, dict) and all(row.get(name) == value for name, value in names.items()) for row in rows
        )

    def blame_all(self, error: ValidationError) -> None:
        """What Django's validation found, each at its field, unless that field was complained about before."""
        for name, messages in error.message_dict.items():
            if any(problem.startswith(f"{self.at(name)}: ") for problem in self.problems):
                continue
            for message in messages:
                self.blame(message, "" if name == "__all__" else name)

    def check_names(self, known: Collection[str]) -> None:
        """Complain about fields that do not exist; what looks like a secret gets its own sentence. Values are never repeated."""
        for name in self.data:
            if name in known:
                for path in secret_names(self.data[name]) if name == "options" else ():
                    self.blame(NO_SECRETS, f"{name}.{path}")
            elif looks_secret(name):
                self.blame(NO_SECRETS, name)
            else:
                self.blame(f"Unknown field.{suggestion(name, known)}", name)

    def has(self, field: str) -> bool:
        return field in self.data

    def text(self, field: str) -> str | None:
        """A text that must be there; complains and gives ``None`` where it is not."""
        value = self.data.get(field)
        if isinstance(value, str) and value.strip():
            return value
        self.blame("Give a text." if field in self.data else "This is missing.", field)
        return None

    def entries(self, field: str) -> Iterator["Entry"]:
        """The objects of a list; a field left out is an empty list."""
        for number, item in enumerate(self.items(field)):
            place = self.at(f"{field}[{number}]")
            if isinstance(item, dict):
                yield Entry(place, item, self.problems, self.root)
            else:
                self.problems.append(f"{place}: This must be an object.")

    def items(self, field: str) -> list[Any]:
        value = self.data.get(field, [])
        if isinstance(value, list):
            return value
        self.blame("This must be a list.", field)
        return []

    def values(self, model: type[models.Model], names: Collection[str]) -> dict[str, Any]:
        """The values of these columns that the document gives, in the columns' own types."""
        found: dict[str, Any] = {}
        for name in names:
            if name not in self.data:
                continue
            try:
                found[name] = _typed(model._meta.get_field(name), self.data[name])
            except ValueError as error:
                self.blame(str(error), name)
        return found


def _typed(field: Any, value: Any) -> Any:
    """``value`` as this column holds it. Raises ``ValueError`` with what is right where JSON's type is another: nothing is guessed."""
    if value is None:
        if not field.null:
            raise ValueError("This cannot be null. Leave the field out to keep what is there.")
        return None
    if isinstance(field, models.DecimalField):
        return _decimal(value)
    types, name = _json_type(field)
    # A bool is an int to Python, not to people.
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise ValueError(f"This must be {name}.")
    choices = [str(choice) for choice, _ in field.flatchoices]
    if choices and value not in choices:
        raise ValueError(f"There is no {value!r} here. Use one of: {', '.join(choices)}.")
    return value


def suggestion(wrong: str, choices: Collection[str]) -> str:
    """The choice that was probably meant, or all of them; empty where there are none. Begins with a space."""
    if close := get_close_matches(wrong, choices, n=1):
        return f" Did you mean {close[0]}?"
    shown = sorted(choices)[:MOST_CHOICES]
    more = f" and {len(choices) - len(shown)} more" if len(choices) > len(shown) else ""
    return f" Use one of: {', '.join(shown)}{more}." if shown else ""


def _json_type(field: object) -> tuple[tuple[type, ...], str]:
    if isinstance(field, models.BooleanField):
        return (bool,), "true or false"
    if isinstance(field, models.IntegerField):
        return (int,), "a whole number"
    if isinstance(field, models.FloatField):
        return (int, float), "a number"
    if isinstance(field, models.JSONField):
        return (dict,), "an object"
    return (str,), "a text"


def _decimal(value: object) -> Decimal:
    # The shortest text of a float is what was typed, so no binary digits come in.
    try:
        number = Decimal("NaN" if isinstance(value, bool) else str(value))
    except ArithmeticError:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ValueError('This must be a number, for instance 0.0004 or "0.0004".')
    return number
