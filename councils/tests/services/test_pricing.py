"""Prices: a start for well-known models, a history, and no use of a model without one."""

from decimal import Decimal
from typing import Any

import pytest

from councils.models import ChairmanFallback, CouncilConfiguration, CouncilRun, ModelInfo, ModelPrice, PriceSource, Provider
from councils.services.asking import ask_council
from councils.services.errors import CouncilUnavailable
from councils.services.pricing import list_price, mark_free, record_price, suggest_price
from councils.services.standing import Obstacle, council_problems, obstacle_of
from councils.snapshot import Snapshot
from councils.tests.factories import make_council, make_model, make_user

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


def model_at(name: str = "gpt-4.1-mini", **provider: Any) -> ModelInfo:
    values = {"name": "P", "slug": "p", "kind": "openai", "base_url": OPENAI, **provider}
    return ModelInfo(provider=Provider.objects.create(**values), name=name)


@pytest.mark.django_db
def test_a_known_model_begins_with_its_list_price_and_window() -> None:
    model = model_at()

    assert suggest_price(model) is PriceSource.LIST
    assert (model.cost_per_1k_input_tokens, model.cost_per_1k_output_tokens) == (Decimal("0.0004"), Decimal("0.0016"))
    assert model.context_window


@pytest.mark.django_db
def test_a_model_on_ollama_begins_free() -> None:
    model = model_at(kind="ollama")

    assert suggest_price(model) is PriceSource.FREE
    assert (model.cost_per_1k_input_tokens, model.cost_per_1k_output_tokens) == (Decimal(0), Decimal(0))


@pytest.mark.django_db
def test_a_gateway_at_a_private_address_makes_no_model_free() -> None:
    model = model_at(base_url="http://10.0.0.5:4000/v1", allow_private_address=True)

    assert suggest_price(model) is None
    assert not model.has_prices


@pytest.mark.django_db
def test_a_price_that_somebody_gave_is_left_alone() -> None:
    model = model_at()
    model.cost_per_1k_output_tokens = Decimal(1)

    assert suggest_price(model) is None
    assert model.cost_per_1k_input_tokens is None


@pytest.mark.django_db
def test_the_history_of_a_price_has_each_change_once_with_who_made_it() -> None:
    by, model = make_user(), make_model()
    assert record_price(model, by=by) is not None
    assert record_price(model, by=by) is None
    model.cost_per_1k_input_tokens = None
    assert record_price(model) is not None
    assert mark_free(ModelInfo.objects.filter(pk=model.pk), by=by) == 1
    assert mark_free(ModelInfo.objects.filter(pk=model.pk), by=by) == 0

    history = ModelPrice.objects.filter(model=model)
    assert [(row.source, row.input_price, row.by) for row in history] == [
        (PriceSource.FREE, 0, by),
        (PriceSource.MANUAL, None, None),
        (PriceSource.MANUAL, Decimal("0.001"), by),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("place", ["seat", "chairman", "fallback", "chairman's fallback"])
def test_a_council_with_a_model_without_a_price_is_not_asked_and_says_what_to_do(place: str) -> None:
    council = make_council()
    unpriced = make_model("mystery", cost_per_1k_output_tokens=None)
    match place:
        case "seat":
            council.members.filter(agent_id="agent_2").update(model=unpriced)
        case "fallback":
            council.members.filter(agent_id="agent_2").update(fallback_model=unpriced)
        case "chairman":
            CouncilConfiguration.objects.filter(pk=council.pk).update(chairman_model=unpriced)
        case _:
            ChairmanFallback.objects.create(council=council, model=unpriced)

    with pytest.raises(CouncilUnavailable) as refused:
        ask_council(by=make_user(), council=CouncilConfiguration.objects.get(pk=council.pk), question="Why?")

    assert "The price of mystery is not known. Staff must enter it, or mark the model as free." in str(refused.value)
    assert not CouncilRun.objects.exists()
    stored = CouncilConfiguration.objects.with_details().get(pk=council.pk)
    assert "The price of mystery is not known." in " ".join(council_problems(stored))
    assert obstacle_of(stored) is Obstacle.FAULT


@pytest.mark.django_db
def test_an_explicit_zero_is_a_price() -> None:
    council = make_council()
    ModelInfo.objects.update(cost_per_1k_input_tokens=0, cost_per_1k_output_tokens=0)

    assert ask_council(by=make_user(), council=council, question="Why?")[1]


@pytest.mark.django_db
def test_a_price_that_changes_during_a_run_is_not_the_price_of_its_calls() -> None:
    council = make_council()
    run = ask_council(by=make_user(), council=council, question="Why?")[0]
    ModelInfo.objects.update(cost_per_1k_input_tokens=9)

    prices = {target.input_price for target in Snapshot.from_json(CouncilRun.objects.get(pk=run.pk).config_snapshot).models.values()}
    assert prices == {Decimal("0.001")}
