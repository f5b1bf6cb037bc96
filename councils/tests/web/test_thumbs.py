"""Thumbs under the answer, with a reason."""

import pytest
from django.test import Client

from councils.engine.types import RunStatus
from councils.models import CouncilConfiguration, CouncilRun, Feedback, User
from councils.tests.factories import RunPlan, make_run, make_user

SCRIPT = {"X-Requested-With": "fetch"}


@pytest.fixture
def run(ada: User, council: CouncilConfiguration) -> CouncilRun:
    return make_run(owner=ada, council=council)


def address(run: CouncilRun) -> str:
    return f"/runs/{run.public_id}/feedback/"


def text_of(page: Client, run: CouncilRun) -> str:
    return " ".join(page.get(f"/runs/{run.public_id}/").text.split())


def kept() -> list[tuple[str, str]]:
    return list(Feedback.objects.values_list("verdict", "reason"))


def test_the_answer_has_two_buttons_with_words(page: Client, run: CouncilRun) -> None:
    text = text_of(page, run)

    assert text.count('aria-pressed="false"') >= 2
    assert "Good answer" in text
    assert "Poor answer" in text
    assert "You find this" not in text


@pytest.mark.parametrize(("verdict", "said"), [("up", "You find this a good answer."), ("down", "You find this a poor answer.")])
def test_a_thumb_is_kept_and_said(page: Client, run: CouncilRun, verdict: str, said: str) -> None:
    response = page.post(address(run), {"verdict": verdict})

    assert response["Location"] == f"/runs/{run.public_id}/#thumbs"
    assert kept() == [(verdict, "")]
    text = text_of(page, run)
    assert said in text
    assert f'value="{verdict}" id="thumb-{verdict}" aria-pressed="true"' in text


def test_a_reason_is_kept_with_its_lines_and_shown_as_text(page: Client, run: CouncilRun) -> None:
    page.post(address(run), {"verdict": "down", "reason": " Too long.\r\n</textarea><b>And wrong.\r\n"})

    assert kept() == [("down", "Too long.\n</textarea><b>And wrong.")]
    assert "&lt;/textarea&gt;&lt;b&gt;And wrong." in text_of(page, run)


def test_a_thumb_can_be_turned_and_taken_back(page: Client, run: CouncilRun) -> None:
    page.post(address(run), {"verdict": "up", "reason": "Clear."})
    page.post(address(run), {"verdict": "down", "reason": "Clear, and wrong."})
    assert kept() == [("down", "Clear, and wrong.")]

    page.post(address(run), {"verdict": "none", "reason": "Clear, and wrong."})
    assert kept() == []
    page.post(address(run), {"verdict": "none"})
    assert "You find this" not in text_of(page, run)


def test_a_script_gets_the_form_alone_with_what_to_say(page: Client, run: CouncilRun) -> None:
    text = page.post(address(run), {"verdict": "up"}, headers=SCRIPT).text

    assert "<html" not in text
    assert 'data-spoken="You find this a good answer. It is kept."' in text
    assert 'data-spoken="Your judgement is taken back."' in page.post(address(run), {"verdict": "none"}, headers=SCRIPT).text


def test_a_refusal_gives_a_script_its_text_back(page: Client, run: CouncilRun) -> None:
    response = page.post(address(run), {"verdict": "up", "reason": "x" * 2001}, headers=SCRIPT)

    assert response.status_code == 400
    assert "The reason is too long." in response.text
    assert "x" * 2001 in response.text
    assert "You find this" not in response.text
    assert kept() == []


@pytest.mark.parametrize(("reason", "said"), [("x" * 2001, "The reason is too long."), ("a\x00b", "cannot be stored")])
def test_a_refusal_is_told_on_the_page_and_keeps_what_was_said_before(page: Client, run: CouncilRun, reason: str, said: str) -> None:
    page.post(address(run), {"verdict": "up", "reason": "Good."})

    assert said in page.post(address(run), {"verdict": "down", "reason": reason}, follow=True).text
    assert kept() == [("up", "Good.")]


@pytest.mark.parametrize("verdict", ["", "UP", "sideways", "up\x00"])
def test_a_verdict_that_is_none_is_a_bad_request(page: Client, run: CouncilRun, verdict: str) -> None:
    assert page.post(address(run), {"verdict": verdict}).status_code == 400
    assert kept() == []


def test_a_run_without_an_answer_has_no_thumbs(page: Client, ada: User, council: CouncilConfiguration) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.FAILED, plan=RunPlan())

    assert "Good answer" not in text_of(page, run)
    assert "There is no answer to judge." in page.post(address(run), {"verdict": "up"}, follow=True).text
    assert kept() == []


def test_everybody_judges_only_their_own_answers(client: Client, run: CouncilRun) -> None:
    client.force_login(make_user(is_superuser=True, is_staff=True))

    assert client.post(address(run), {"verdict": "up"}).status_code == 404
    assert kept() == []


def test_a_form_of_another_site_is_refused(ada: User, run: CouncilRun) -> None:
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(ada)

    assert careful.post(address(run), {"verdict": "up"}).status_code == 403
    assert kept() == []
