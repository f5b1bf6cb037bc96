"""The reasons of a run's end: every code has its sentence, and every kind of fault its word."""

import inspect
import re
from collections.abc import Mapping

import pytest

from councils.engine import errors
from councils.engine.reasons import FAULTS, ONE_MEMBER, SENTENCES, Fact, Reason, ReasonCode, fault_word
from councils.engine.types import StepStatus

FACTS: Mapping[str, Fact] = {
    "members": [("Ada", "timeout"), ("Blaise", "answered")],
    "came": 1,
    "needed": 3,
    "answers": 4,
    "counted": 3,
    "cast": 4,
    "name": "100 %s Ada",
    "times": 3,
}


@pytest.mark.parametrize("code", ReasonCode)
def test_every_code_has_a_sentence_made_of_its_facts(code: ReasonCode) -> None:
    wanted = re.findall(r"%\((\w+)\)s", SENTENCES[code])

    sentence = str(Reason(code, {name: FACTS[name] for name in wanted}))

    assert sentence.endswith(".")
    assert "%(" not in sentence


def test_every_error_and_every_end_without_an_answer_has_a_word() -> None:
    kinds = {cls.kind for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.ProviderError)}
    unanswered = {status.value for status in StepStatus} - {StepStatus.DONE.value, StepStatus.RUNNING.value}

    assert kinds | unanswered - {StepStatus.INVALID.value} <= set(FAULTS)


def test_a_kind_of_a_newer_version_speaks_for_itself() -> None:
    assert fault_word("lost_at_sea") == "lost at sea"


def test_a_sentence_and_the_words_in_it_are_said_in_another_language() -> None:
    french = {
        SENTENCES[ReasonCode.NO_ANSWER]: "Aucun membre n’a répondu : %(members)s.",
        ONE_MEMBER: "%(name)s : %(fault)s",
        FAULTS["timeout"]: "délai dépassé",
        FAULTS["answered"]: "a répondu",
    }

    sentence = Reason(ReasonCode.NO_ANSWER, {"members": FACTS["members"]}).sentence(french.__getitem__)

    assert sentence == "Aucun membre n’a répondu : Ada : délai dépassé, Blaise : a répondu."
