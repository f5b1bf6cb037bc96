"""Every code that a record can hold has its words, and raw words of others reach no user."""

import inspect

import pytest
from django.test import Client
from django.utils import translation

from councils.engine import errors
from councils.engine.readings import BallotFault
from councils.engine.reasons import Reason, ReasonCode
from councils.engine.types import RunStatus, StepStatus
from councils.models import CouncilConfiguration, CouncilRun, User
from councils.runner.drive import OVERDUE
from councils.tests.factories import RunPlan, make_run
from councils.web import phrases

ERRORS = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.CouncilError)]


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_of_the_engine_is_said_in_its_own_words(error: type[errors.CouncilError]) -> None:
    assert phrases.FAULTS[error.kind] == (error.__doc__ or "").splitlines()[0]


def test_there_is_no_phrase_for_what_cannot_happen() -> None:
    assert set(phrases.FAULTS) == {error.kind for error in ERRORS}


@pytest.mark.parametrize("kind", BallotFault)
def test_every_fault_of_a_ballot_has_a_sentence(kind: BallotFault) -> None:
    assert phrases.fault(kind.value, "Missing: T7K.").endswith(".")
    assert "T7K" not in phrases.fault(kind.value, "Missing: T7K.")


def test_the_providers_own_words_are_not_for_users() -> None:
    message = errors.RateLimited("Quota of org-7 reached.").message

    assert phrases.fault("rate_limited", message) == "The provider asks us to slow down."
    with translation.override("fr"):
        assert phrases.fault("rate_limited", message) not in {"", message, "The provider asks us to slow down."}


@pytest.mark.parametrize(("kind", "message"), [("timeout", OVERDUE), ("orphaned", "The server stopped while this call was under way.")])
def test_our_own_sentences_are_translated_whole(kind: str, message: str) -> None:
    assert phrases.fault(kind, message) == message
    with translation.override("fr"):
        assert phrases.fault(kind, message) != message


@pytest.mark.parametrize(("kind", "message"), [("lost_at_sea", "It sank at 10.0.0.7."), ("", "It sank at 10.0.0.7.")])
def test_what_is_not_known_is_said_in_general_words(kind: str, message: str) -> None:
    assert phrases.fault(kind, message) == "The provider could not answer."


def test_where_nothing_went_wrong_nothing_is_said() -> None:
    assert phrases.fault("", "") == ""


@pytest.mark.parametrize("code", ReasonCode)
def test_every_reason_is_said_in_french(code: ReasonCode) -> None:
    facts = dict.fromkeys(("came", "needed", "answers", "counted", "cast", "times"), 3)
    run = CouncilRun(reason="English", reason_code=code.value, reason_facts={**facts, "name": "Ada", "members": [["Ada", "timeout"]]})

    with translation.override("fr"):
        said = phrases.reason(run)

    assert said not in {"English", phrases.reason(run)}


def test_a_reason_is_the_same_sentence_in_english_as_in_the_record() -> None:
    reason = Reason(ReasonCode.NO_ANSWER, {"members": [("Ada", "rate_limited")]})
    run = CouncilRun(reason=str(reason), reason_code=reason.code.value, reason_facts={"members": [["Ada", "rate_limited"]]})

    assert phrases.reason(run) == run.reason


@pytest.mark.parametrize(
    ("code", "facts"),
    [("", {}), ("of_a_newer_version", {}), ("no_answer", {}), ("no_answer", {"members": [["Ada"]]}), ("no_answer", {"members": None})],
)
def test_a_run_of_another_version_keeps_its_sentence(code: str, facts: dict[str, object]) -> None:
    assert phrases.reason(CouncilRun(reason="It ended.", reason_code=code, reason_facts=facts)) == "It ended."


@pytest.mark.parametrize("name", ["run", "conversation"])
def test_the_pages_say_the_reason_in_the_readers_language(page: Client, ada: User, council: CouncilConfiguration, name: str) -> None:
    facts = {"members": [["Zoë", "timeout"]]}
    code = ReasonCode.NO_ANSWER.value
    run = make_run(owner=ada, council=council, status=RunStatus.FAILED, reason="No.", reason_code=code, reason_facts=facts)
    page.post("/language/", {"language": "fr"})

    text = page.get(f"/runs/{run.public_id}/" if name == "run" else f"/conversations/{run.conversation.public_id}/").text

    assert "Aucun membre n’a répondu\u00a0: Zoë (pas de réponse à temps)." in text


def test_the_pages_say_what_went_wrong_with_a_member_in_the_readers_language(
    page: Client, ada: User, council: CouncilConfiguration
) -> None:
    run = make_run(owner=ada, council=council, status=RunStatus.FAILED, plan=RunPlan(opinions=[StepStatus.FAILED] * 4))
    page.post("/language/", {"language": "fr"})

    text = page.get(f"/runs/{run.public_id}/").text

    assert "La réponse n’est pas arrivée à temps." in text
    assert "The answer did not come in time." not in text
