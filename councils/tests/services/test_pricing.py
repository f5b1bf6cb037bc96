"""List prices: a start for well-known models, nothing for the others."""

from decimal import Decimal

import pytest

from councils.services.pricing import list_price

OPENAI = "https://api.openai.com/v1"


def test_prices_are_per_thousand_tokens() -> None:
    price = list_price(base_url=OPENAI, model="gpt-4.1-mini")

    assert price is not None
    assert (price.input_price, price.output_price) == (Decimal("0.0004"), Decimal("0.0016"))


def test_a_model_whose_price_grows_with_the_prompt_has_its_first_price() -> None:
    price = list_price(base_url="https://api.anthropic.com", model="claude-sonnet-4-5")

    assert price is not None
    assert price.input_price == Decimal("0.003")


def test_a_dated_name_has_the_price_of_its_model() -> None:
    dated = list_price(base_url="https://api.anthropic.com", model="claude-haiku-4-5-20251001")

    assert dated == list_price(base_url="https://api.anthropic.com", model="claude-haiku-4-5")
    assert dated is not None


@pytest.mark.parametrize(
    ("address", "model"),
    [
        (OPENAI, "no-such-model"),
        ("https://api.acme.example/v1", "no-such-model"),
        ("", ""),
        ("http://127.0.0.1:8089/v1", "smollm2-135m-instruct"),
    ],
)
def test_an_unknown_model_has_no_price_which_is_not_zero(address: str, model: str) -> None:
    assert list_price(base_url=address, model=model) is None
