from hypothesis import given
from hypothesis import strategies as st

from councils.providers.endpoint import Endpoint
from councils.providers.redaction import MASK, SecretFilter, hide

SECRET = "sk-abab-abac+x/y"


def filtered(pieces: list[str], secrets: tuple[str, ...] = (SECRET,)) -> str:
    guard = SecretFilter(secrets)
    return "".join(guard.feed(piece) for piece in pieces) + guard.close()


def test_a_secret_is_masked_plain_and_percent_encoded() -> None:
    assert hide(f"key={SECRET} or sk-abab-abac%2Bx%2Fy", [SECRET]) == f"key={MASK} or {MASK}"


def test_a_secret_across_pieces_is_masked() -> None:
    assert filtered(["it is sk-ab", "ab-aba", "c+x/y, really"]) == f"it is {MASK}, really"


def test_what_only_begins_like_a_secret_is_not_lost() -> None:
    assert filtered(["it is sk-ab", "acus"]) == "it is sk-abacus"


def test_a_beginning_at_the_very_end_comes_out_at_last() -> None:
    assert filtered(["ends with sk-a"]) == "ends with sk-a"


def test_harmless_pieces_are_not_held_back() -> None:
    assert SecretFilter((SECRET,)).feed("hello") == "hello"


@given(st.lists(st.sampled_from(["sk-", "abab", "-", "abac", "+x/y", SECRET, "a", "s", " "])), st.integers(1, 4))
def test_no_way_of_cutting_lets_a_secret_through_or_loses_text(parts: list[str], size: int) -> None:
    text = "".join(parts)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    shown = filtered(pieces)

    assert SECRET not in shown
    assert shown.replace(MASK, "") == text.replace(SECRET, "")


def test_keys_in_headers_are_secrets_too() -> None:
    endpoint = Endpoint(base_url="https://models.example", api_key="sk-first-key", headers={"authorization": "Bearer other-key-123"})

    assert endpoint.secrets() == ("other-key-123", "sk-first-key")


def test_headers_that_only_describe_us_are_no_secrets() -> None:
    headers = {"x-title": "Council application", "http-referer": "https://council.example"}

    assert Endpoint(base_url="https://models.example", headers=headers).secrets() == ()


def test_a_placeholder_key_is_no_secret() -> None:
    assert Endpoint(base_url="https://models.example", api_key="ollama").secrets() == ()


def test_an_endpoint_shows_no_key_when_printed() -> None:
    assert "sk-first-key" not in repr(Endpoint(base_url="https://models.example", api_key="sk-first-key", headers={"x": "sk-first-key"}))
