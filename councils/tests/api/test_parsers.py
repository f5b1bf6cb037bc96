"""Any bytes are a value or a ``ParseError``; sound JSON is read as what it says."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ParseError

from councils.api.parsers import MAX_DEPTH, loads

storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | storable
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(storable, inner, max_size=4), max_leaves=12)


def depth_of(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if parts is None else 1 + max(map(depth_of, parts), default=0)


@given(values.filter(lambda value: depth_of(value) <= MAX_DEPTH))
def test_sound_json_is_read_as_what_it_says(value: Any) -> None:
    assert loads(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_refusal(body: bytes) -> None:
    with suppress(ParseError):
        loads(body)


@given(values, st.integers(min_value=0), st.sampled_from(list('"\\{}[],:0eE+-.u\x00\n')))
def test_damaged_json_is_a_value_or_a_refusal(value: Any, place: int, damage: str) -> None:
    text = json.dumps(value)
    cut = place % (len(text) + 1)
    with suppress(ParseError):
        loads((text[:cut] + damage + text[cut:]).encode())


@pytest.mark.parametrize("brackets", ["[]", '{"a":}'])
def test_the_deepest_allowed_nesting_is_read_and_one_more_is_not(brackets: str) -> None:
    opening, closing = (brackets[:-1], brackets[-1]) if brackets != "[]" else ("[", "]")

    def nested(depth: int) -> bytes:
        return (opening * depth + ("0" if opening != "[" else "") + closing * depth).encode()

    assert depth_of(loads(nested(MAX_DEPTH))) == MAX_DEPTH
    with pytest.raises(ParseError, match="nested too deeply"):
        loads(nested(MAX_DEPTH + 1))
