"""The button that asks again: where it stands, what it says, and what it does when it cannot."""

import pytest
from django.test import Client

from councils.engine.types import RunStatus
from councils.models import CouncilConfiguration, CouncilRun, User
from councils.tests.factories import make_run

OFFERED = [RunStatus.FAILED, RunStatus.PARTIAL, RunStatus.CANCELLED]


def offers(page: Client, run: CouncilRun) -> bool:
    return f'action="/runs/{run.public_id}/again/"' in page.get(f"/runs/{run.public_id}/").text


@pytest.mark.parametrize("status", list(RunStatus))
def test_it_stands_where_something_is_missing_and_nowhere_else(
    page: Client, ada: User, council: CouncilConfiguration, status: RunStatus
) -> None:
    assert offers(page, make_run(owner=ada, council=council, status=status)) is (status in OFFERED)


def test_it_is_gone_when_the_conversation_went_on(page: Client, ada: User, council: CouncilConfiguration) -> None:
    failed = make_run(owner=ada, council=council, status=RunStatus.FAILED)
    make_run(owner=ada, council=council, conversation=failed.conversation)

    assert not offers(page, failed)


def test_it_is_gone_when_the_council_cannot_be_asked(page: Client, ada: User, council: CouncilConfiguration) -> None:
    failed = make_run(owner=ada, council=council, status=RunStatus.FAILED)
    CouncilConfiguration.objects.update(is_active=False)

    assert not offers(page, failed)


def test_it_says_plainly_that_it_costs_again(page: Client, ada: User, council: CouncilConfiguration) -> None:
    text = page.get(f"/runs/{make_run(owner=ada, council=council, status=RunStatus.PARTIAL).public_id}/").text

    assert "Puts the same question to <bdi>Pricing council</bdi> anew. All members answer once more, and that costs once more." in text
    assert "This try has cost 0.0085 USD." in text


def test_an_unknown_cost_is_not_called_a_cost(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.PARTIAL, unknown_costs=1)

    assert "This try has cost" not in page.get(f"/runs/{run.public_id}/").text


def test_one_click_leads_to_the_new_run_and_two_to_the_same(page: Client, ada: User, council: CouncilConfiguration) -> None:
    failed = make_run(owner=ada, council=council, status=RunStatus.FAILED)

    first, second = (page.post(f"/runs/{failed.public_id}/again/")["Location"] for _ in range(2))

    newer = CouncilRun.objects.exclude(pk=failed.pk).get()
    assert first == second == f"/runs/{newer.public_id}/"
    assert newer.conversation == failed.conversation


def test_a_refusal_is_told_on_the_page_of_the_run(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council)

    response = page.post(f"/runs/{run.public_id}/again/", follow=True)

    assert response.redirect_chain == [(f"/runs/{run.public_id}/", 302)]
    assert "Only a question that failed, was cancelled or was answered in part can be asked again." in response.text
    assert CouncilRun.objects.count() == 1


def test_it_counts_as_a_question_for_the_limit(page: Client, ada: User, council: CouncilConfiguration) -> None:
    for _ in range(20):
        page.post("/", {"council": council.slug, "question": "?"})
    failed = make_run(owner=ada, council=council, status=RunStatus.FAILED)
    runs = CouncilRun.objects.count()

    response = page.post(f"/runs/{failed.public_id}/again/", follow=True)

    assert "You have asked many questions within a minute." in response.text
    assert CouncilRun.objects.count() == runs
