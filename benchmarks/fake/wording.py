"""The texts of the fake provider: the same request to the same model gets the same answer, and reviews get valid ballots."""

import hashlib
import itertools
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

WORDS = re.findall(
    r"\w+",
    """answer because council careful clear common compare context correct detail doubt early enough error evidence example exact fact fair
    first follow general given good hand idea judge kind large later matter measure method model narrow often order other part plain point
    possible proof question rather read reason result rule same second sense short simple small sound state strong test third true under
    value view weigh whole word work year""",
)
# A review whose schema was not sent along shows the form that it wants, and the answers between fences.
FORM_LABELS = re.compile(r'"agent_id": ?"([^"]{1,80})"')
FENCED_ANSWERS = re.compile(r"^<<answer (\S+) (\w+)>>\n(.*?)\n<<end \1 \2>>$", re.MULTILINE | re.DOTALL)


def seed_of(*parts: str) -> str:
    """A seed that depends on every part."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def prose(seed: str, tokens: int) -> list[str]:
    """``tokens`` pieces that make sentences of twelve words."""
    words = random.Random(seed).choices(WORDS, k=tokens)
    pieces = []
    for place, word in enumerate(words):
        shown = word.capitalize() if place % 12 == 0 else word
        stop = "." if place % 12 == 11 or place == tokens - 1 else ""
        pieces.append(f"{' ' if place else ''}{shown}{stop}")
    return pieces


def cut(text: str, pieces: int) -> list[str]:
    """``text`` in ``pieces`` parts of about equal length, fewer where it is shorter."""
    count = max(1, min(pieces, len(text)))
    bounds = [len(text) * place // count for place in range(count + 1)]
    return [text[start:end] for start, end in itertools.pairwise(bounds)]


def answer_pieces(model: str, prompt: str, schema: Mapping[str, Any] | None, *, tokens: int, agree: bool = False) -> list[str]:
    """The answer of ``model`` in ``tokens`` pieces: by the schema where one was sent, a ballot where one is wanted, else prose.

    With ``agree`` every reviewer judges an answer by its text alone, so that all ballots of a council show the same order.
    """
    seed = seed_of(model, prompt)
    labels = labels_of(schema) if schema is not None else list(dict.fromkeys(FORM_LABELS.findall(prompt)))
    if labels:
        merits = {label: seed_of(text) for label, _, text in FENCED_ANSWERS.findall(prompt)} if agree else {}
        return cut(orjson.dumps({"rankings": ballot(labels, seed, merits)}).decode(), tokens)
    if schema is not None:
        return cut(orjson.dumps(instance(schema, seed)).decode(), tokens)
    return prose(seed, tokens)


def ballot(labels: Sequence[str], seed: str, merits: Mapping[str, str]) -> list[dict[str, Any]]:
    """One verdict for each label, with different scores, in the order of ``merits`` or one that the seed decides."""
    order = sorted(labels, key=lambda label: merits.get(label) or seed_of(seed, label))
    step = 8 / max(1, len(order) - 1)
    reasons = [f"Place {place}: {' '.join(prose(seed_of(seed, label), 4)).strip()}" for place, label in enumerate(order, start=1)]
    return [
        {"agent_id": label, "reasoning": reason, "score": round(9 - place * step)}
        for place, (label, reason) in enumerate(zip(order, reasons, strict=True))
    ]


def labels_of(schema: Mapping[str, Any]) -> list[str]:
    """The labels of answers that a ballot's schema names; none where it is no ballot's."""
    node: Any = schema
    for name in ("properties", "rankings", "items", "properties", "agent_id", "enum"):
        node = node.get(name) if isinstance(node, Mapping) else None
    return [str(label) for label in node] if isinstance(node, list) else []


def instance(schema: Mapping[str, Any], seed: str) -> Any:
    """A small value that ``schema`` allows, as far as schemas for structured answers go."""
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    if choices:
        return choices[int(seed[:8], 16) % len(choices)]
    variants = schema.get("anyOf") or schema.get("oneOf")
    if variants:
        return instance(variants[0], seed)
    kind = schema.get("type")
    return _of_type(kind[0] if isinstance(kind, list) else kind, schema, seed)


def _of_type(kind: str | None, schema: Mapping[str, Any], seed: str) -> Any:
    if kind == "object":
        return {name: instance(part, seed_of(seed, name)) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [instance(schema.get("items", {}), seed_of(seed, str(place))) for place in range(schema.get("minItems", 1))]
    simple = {"integer": schema.get("minimum", 1), "number": schema.get("minimum", 1), "boolean": True, "null": None}
    return simple[kind] if kind in simple else " ".join(prose(seed, 4)).strip()
