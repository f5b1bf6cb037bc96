"""What a question costs, said where it is written: for one of usual length, for what was sent, and for what is being written."""

import re
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from councils.formatting import usd
from councils.models import Budget, CouncilConfiguration, ModelInfo, User
from councils.services.expecting import Expectation, expectations
from councils.tests.factories import make_council, make_run
from councils.tests.web.test_choosing import words

LONG = "A question with many words. " * 300


def expected(council: CouncilConfiguration, question: str = "") -> Expectation:
    return expectations([CouncilConfiguration.objects.with_details().get(pk=council.pk)], question=question)[council.pk]


def said(found: Expectation) -> str:
    return f"about {usd(found.likely_usd)}, at most {usd(found.most_usd)}"


def shown(text: str, council: CouncilConfiguration) -> str:
    """What a page says of the cost of this council."""
    found = re.search(rf'data-cost-of="{council.pk}">([^<]*)<', text)
    return found.group(1).strip() if found else ""


def reckon(page: Client, **fields: Any) -> dict[str, str]:
    answer = page.post("/estimate/", fields)
    assert answer.status_code == 200
    costs: dict[str, str] = answer.json()["costs"]
    return costs


def test_an_empty_form_says_what_a_usual_question_costs(page: Client, council: CouncilConfiguration) -> None:
    text = page.get("/").text

    assert shown(text, council) == said(expected(council))
    assert "calls that must be repeated are not in it" in words(text)


def test_what_was_refused_is_reckoned_with_as_it_was_sent(page: Client, ada: User, council: CouncilConfiguration) -> None:
    Budget.objects.create(user=ada, limit_usd=Decimal("0.0001"))

    answer = page.post("/", {"question": LONG, "council": council.slug})

    assert answer.status_code == 402
    assert shown(answer.text, council) == said(expected(council, LONG.strip())) != said(expected(council))


def test_what_is_being_written_is_reckoned_for_every_council(page: Client, council: CouncilConfiguration) -> None:
    other = make_council(name="Second reader", seats=3)

    assert reckon(page, question=LONG) == {str(one.pk): said(expected(one, LONG.strip())) for one in (council, other)}


def test_without_a_text_a_usual_question_is_reckoned_with(page: Client, council: CouncilConfiguration) -> None:
    make_run(council=council)

    assert reckon(page, question="  ")[str(council.pk)] == said(expected(council))


@pytest.mark.parametrize("question", ["\x00", "\ud83d", "x" * 300_000, "🌍" * 10])
def test_odd_texts_are_reckoned_with_or_cut(page: Client, council: CouncilConfiguration, question: str) -> None:
    sent = urlencode({"question": question.encode(errors="surrogatepass")})

    answer = page.post("/estimate/", sent, content_type="application/x-www-form-urlencoded")

    assert answer.json()["costs"][str(council.pk)].startswith("about ")


def test_a_council_of_free_models_costs_nothing(page: Client, council: CouncilConfiguration) -> None:
    ModelInfo.objects.update(cost_per_1k_input_tokens=0, cost_per_1k_output_tokens=0)

    assert reckon(page, question=LONG) == {str(council.pk): "0 USD"}
    assert shown(page.get("/").text, council) == "0 USD"


def test_a_council_that_cannot_be_asked_is_not_reckoned_with(page: Client, council: CouncilConfiguration) -> None:
    ModelInfo.objects.filter(pk=council.members.all()[0].model_id).update(cost_per_1k_input_tokens=None)

    assert reckon(page, question=LONG) == {}


def test_more_councils_and_runs_take_no_more_queries(page: Client, council: CouncilConfiguration) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            reckon(page, question=LONG)
        return len(queries)

    make_run(council=council)
    few = cost()
    for _ in range(3):
        make_run(council=make_council(seats=3))

    assert cost() == few


def test_nothing_is_asked_or_stored(page: Client, council: CouncilConfiguration) -> None:
    reckon(page, question=LONG, council=council.slug, nonce="n" * 32)

    assert not council.runs.exists()
