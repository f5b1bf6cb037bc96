"""Ballots in JSON: finding the objects in a reply, and reading the shapes that models write."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from json_repair import repair_json

from councils.engine.readings import BallotFault, Names, Reading, Unreadable, agree_or_conflict, by_score, check_labels, read_score

REPAIR_LIMIT = 64 * 1024
# Bounds on hostile input: how often a JSON value is tried, and how deep brackets may nest before a repair.
_MAX_TRIES = 200
_MAX_DEPTH = 60

_RANKINGS_KEYS = ("rankings", "ranking", "final_ranking", "final ranking", "finalranking")
_LABEL_KEYS = ("agent_id", "agent", "label", "id", "answer", "response", "name")
_SCORE_KEYS = ("score", "rating", "points", "grade")
_PLACE_KEYS = ("rank", "place", "position")
_REASON_KEYS = ("reasoning", "reason", "critique", "comment", "explanation")

JsonObject = dict[str, Any]
# The object that holds a vote, the vote, and whether it stands under the key that was asked for.
Found = tuple[Any, Any, bool]


class _Pairs(dict[str, Any]):
    """An object whose keys were doubled with different values keeps what was lost, so that it can be called a conflict."""

    doubled: str = ""


def _object(pairs: list[tuple[str, Any]]) -> _Pairs:
    value = _Pairs(pairs)
    seen: JsonObject = {}
    for key, item in pairs:
        if key in seen and seen[key] != item:
            value.doubled = key
        seen[key] = item
    return value


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_reject_constant)


def whole_value(text: str) -> Any:
    """The text as one JSON value; ``None`` if it is not JSON."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        return None


def embedded_values(text: str) -> Iterator[tuple[Any, str]]:
    """Every complete JSON object or list inside a text, outermost only, in order, with the piece of text it stood in."""
    position, tries = 0, 0
    while tries < _MAX_TRIES and (start := _next_bracket(text, position)) >= 0:
        tries += 1
        try:
            value, position = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            position = start + 1
        else:
            yield value, text[start:position]


def _next_bracket(text: str, position: int) -> int:
    found = [at for bracket in "{[" if (at := text.find(bracket, position)) >= 0]
    return min(found, default=-1)


def repaired_value(text: str) -> tuple[Any, str]:
    """What ``json-repair`` makes of the first object in the text, and that piece; ``None`` where there is nothing to repair safely.

    A text that ends in a digit may have lost the rest of a number: 1 of 10. Such a reply is cut, not broken, and is not completed.
    """
    start = text.find("{")
    piece = text[start : start + REPAIR_LIMIT].rstrip().removesuffix("```").rstrip() if start >= 0 else ""
    if not piece or piece[-1].isdigit() or piece[-1] in ".-" or _depth(piece) > _MAX_DEPTH:
        return None, piece
    try:
        return repair_json(piece, return_objects=True, skip_json_loads=True), piece
    except (ValueError, RecursionError):
        return None, piece


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        if character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth = max(depth - 1, 0)
    return deepest


def read_value(value: Any, names: Names, *, scores_required: bool = False) -> Reading | None:
    """The vote in a JSON value. ``None`` if it does not look like a ballot; ``Unreadable`` if it does and is not a valid one."""
    found = _find_rankings(value, names, depth=3)
    if found is None:
        return None
    holder, rankings, canonical = found
    if isinstance(holder, _Pairs) and holder.doubled:
        raise Unreadable(BallotFault.CONFLICT, f"{holder.doubled[:40]!r} is given twice with different values.")
    if isinstance(rankings, Mapping):
        return _from_map(rankings, names)
    if all(isinstance(item, str) for item in rankings):
        return _from_order(holder, rankings, names, scores_required=scores_required)
    return _from_rows(rankings, names, canonical=canonical)


def _find_rankings(value: Any, names: Names, *, depth: int) -> Found | None:
    if isinstance(value, list):
        return (value, value, False) if _are_rows(value, names) else None
    if isinstance(value, Mapping):
        return _under_key(value) or _by_label(value, names) or _nested(value, names, depth=depth)
    return None


def _are_rows(value: Sequence[Any], names: Names) -> bool:
    return all(isinstance(item, Mapping) for item in value) and any(_names_a_label(item, names) for item in value)


def _under_key(value: Mapping[str, Any]) -> Found | None:
    for key, item in value.items():
        if key.strip().lower() in _RANKINGS_KEYS and isinstance(item, list | Mapping) and item:
            return value, item, key == "rankings"
    return None


def _by_label(value: Mapping[str, Any], names: Names) -> Found | None:
    return (value, value, False) if any(names.find(key) for key in value) else None


def _nested(value: Mapping[str, Any], names: Names, *, depth: int) -> Found | None:
    inner = (_find_rankings(item, names, depth=depth - 1) for item in value.values() if depth)
    return next(((holder, rankings, False) for holder, rankings, _ in filter(None, inner)), None)


def _names_a_label(row: Mapping[str, Any], names: Names) -> bool:
    return any(isinstance(row.get(key), str) and names.find(row[key]) for key in _LABEL_KEYS)


def _from_map(rankings: Mapping[str, Any], names: Names) -> Reading:
    scores, reasons = {}, {}
    for label, value in zip(check_labels(list(rankings), names), rankings.values(), strict=True):
        row = value if isinstance(value, Mapping) else {"score": value}
        scores[label] = read_score(_first(row, _SCORE_KEYS), label)
        reasons[label] = _text(_first(row, _REASON_KEYS))
    return by_score(scores, reasons, coerced=True)


def _from_order(holder: Any, order: Sequence[str], names: Names, *, scores_required: bool) -> Reading:
    ranked = Reading(tuple((label,) for label in check_labels(order, names)), {}, {}, coerced=True)
    scores = holder.get("scores") if isinstance(holder, Mapping) else None
    if isinstance(scores, Mapping):
        return agree_or_conflict(ranked, _from_map(scores, names))
    if scores_required:
        raise Unreadable(BallotFault.MISSING_SCORE, "The reply broke off before the scores.")
    return ranked


def _from_rows(rows: Sequence[Any], names: Names, *, canonical: bool) -> Reading:
    labelled = _labelled(rows, names)
    reasons = {label: _text(_first(row, _REASON_KEYS)) for label, row in labelled.items()}
    if all(_first(row, _SCORE_KEYS) is None for row in labelled.values()):
        return _from_places({label: _first(row, _PLACE_KEYS) for label, row in labelled.items()}, reasons)
    scores = {label: read_score(_first(row, _SCORE_KEYS), label) for label, row in labelled.items()}
    exact = canonical and all(_is_canonical(label, row) for label, row in labelled.items())
    return by_score(scores, reasons, coerced=not exact)


def _labelled(rows: Sequence[Any], names: Names) -> dict[str, Mapping[str, Any]]:
    if not all(isinstance(row, Mapping) for row in rows):
        raise Unreadable(BallotFault.BAD_SHAPE, "Each entry of rankings must be an object.")
    labels = check_labels([_text(_first(row, _LABEL_KEYS)) for row in rows], names)
    for label, row in zip(labels, rows, strict=True):
        if isinstance(row, _Pairs) and row.doubled:
            raise Unreadable(BallotFault.CONFLICT, f"The entry of {label} gives a value twice.")
    return dict(zip(labels, rows, strict=True))


def _is_canonical(label: str, row: Mapping[str, Any]) -> bool:
    return row.get("agent_id") == label and isinstance(row.get("score"), int | float)


def _from_places(places: Mapping[str, Any], reasons: Mapping[str, str]) -> Reading:
    for label, place in places.items():
        if isinstance(place, bool) or not isinstance(place, int) or not 1 <= place <= len(places):
            raise Unreadable(BallotFault.MISSING_SCORE, f"{label} has no score.")
    tiers = (tuple(label for label, at in places.items() if at == place) for place in sorted(set(places.values())))
    return Reading(tuple(tiers), {}, reasons, coerced=True)


def _first(row: Mapping[str, Any], keys: Sequence[str]) -> Any:
    lowered = {str(key).strip().lower(): value for key, value in row.items()}
    return next((lowered[key] for key in keys if lowered.get(key) is not None), None)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
