"""Why a run ended as it did: a code with facts, and the sentence that says it in English or, given the words, in any other language."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

Fact = str | int | Sequence[tuple[str, str]]


def _(text: str) -> str:
    """Marks a text for the catalogue of translations; whoever shows it looks it up there."""
    return text


class ReasonCode(StrEnum):
    ONE_SEAT = "one_seat"
    ONE_ASKED = "one_asked"
    ONE_ANSWER = "one_answer"
    NO_ANSWER = "no_answer"
    NO_ANSWER_OF_ONE = "no_answer_of_one"
    TOO_FEW_ANSWERS = "too_few_answers"
    WRITTEN_FROM_BALLOTS = "written_from_ballots"
    WRITTEN_UNRANKED = "written_unranked"
    WRITTEN_UNREVIEWED = "written_unreviewed"
    CHOSEN = "chosen"
    OUT_OF_TIME_FIRST_CHOICE = "out_of_time_first_choice"
    OUT_OF_TIME_UNRANKED = "out_of_time_unranked"
    OUT_OF_BUDGET_ONE_ANSWER = "out_of_budget_one_answer"
    OUT_OF_BUDGET_FIRST_CHOICE = "out_of_budget_first_choice"
    OUT_OF_BUDGET_UNRANKED = "out_of_budget_unranked"
    NO_CHAIRMAN_FIRST_CHOICE = "no_chairman_first_choice"
    NO_CHAIRMAN_UNRANKED = "no_chairman_unranked"
    CANCELLED = "cancelled"
    GIVEN_UP = "given_up"


SENTENCES: Mapping[ReasonCode, str] = {
    ReasonCode.ONE_SEAT: _("This council has one member, and this is its answer."),
    ReasonCode.ONE_ASKED: _("Only %(name)s was asked, and this is the answer."),
    ReasonCode.ONE_ANSWER: _("Only one member answered, and this is its answer."),
    ReasonCode.NO_ANSWER: _("No member answered: %(members)s."),
    ReasonCode.NO_ANSWER_OF_ONE: _("Only one member was asked, and it did not answer: %(members)s."),
    ReasonCode.TOO_FEW_ANSWERS: _("Only %(came)s of the %(needed)s answers that this council needs came: %(members)s."),
    ReasonCode.WRITTEN_FROM_BALLOTS: _("The chairman wrote this from %(answers)s answers and %(counted)s of %(cast)s ballots."),
    ReasonCode.WRITTEN_UNRANKED: _(
        "The chairman wrote this from %(answers)s answers; too few ballots were valid, so the answers are not ranked."
    ),
    ReasonCode.WRITTEN_UNREVIEWED: _("The chairman wrote this from %(answers)s answers without a review."),
    ReasonCode.CHOSEN: _("The council chose the answer of %(name)s by %(counted)s of %(cast)s ballots."),
    ReasonCode.OUT_OF_TIME_FIRST_CHOICE: _("The run's time was up. This is the council's first choice, by %(name)s."),
    ReasonCode.OUT_OF_TIME_UNRANKED: _("The run's time was up. This is the answer of %(name)s; the answers are not ranked."),
    ReasonCode.OUT_OF_BUDGET_ONE_ANSWER: _("The budget was used up when only one member had answered, and this is its answer."),
    ReasonCode.OUT_OF_BUDGET_FIRST_CHOICE: _("The budget was used up. This is the council's first choice, by %(name)s."),
    ReasonCode.OUT_OF_BUDGET_UNRANKED: _("The budget was used up. This is the answer of %(name)s; the answers are not ranked."),
    ReasonCode.NO_CHAIRMAN_FIRST_CHOICE: _("No chairman answered. This is the council's first choice, by %(name)s."),
    ReasonCode.NO_CHAIRMAN_UNRANKED: _("No chairman answered. This is the answer of %(name)s; the answers are not ranked."),
    ReasonCode.CANCELLED: _("Cancelled. What had been answered until then is kept."),
    ReasonCode.GIVEN_UP: _("The server stopped or failed %(times)s times in a row on this run, so it was given up. Ask again to retry."),
}
ONE_MEMBER = _("%(name)s (%(fault)s)")
FAULTS: Mapping[str, str] = {
    "answered": _("answered"),
    "no_answer_in_time": _("no answer in time"),
    "council_error": _("could not be asked"),
    "budget_used_up": _("budget used up"),
    "provider_error": _("provider could not answer"),
    "connect_failed": _("provider could not be reached"),
    "rate_limited": _("provider was too busy"),
    "provider_unavailable": _("fault at the provider"),
    "timeout": _("no answer in time"),
    "broken_stream": _("answer broke off"),
    "authentication_failed": _("provider did not accept our key"),
    "bad_request": _("provider did not accept the request"),
    "context_too_long": _("question too long for the model"),
    "structure_unsupported": _("model does not offer the form asked for"),
    "empty_answer": _("empty answer"),
    "out_of_tokens": _("token limit reached before the first word"),
    "refused": _("declined to answer"),
    "content_filtered": _("stopped by the provider's filter"),
    "endpoint_unavailable": _("provider failed too often just before"),
    "egress_denied": _("address may not be contacted"),
    "failed": _("failed"),
    "late": _("late"),
    "late_done": _("too late"),
    "cancelled": _("stopped"),
}
"""What became of one member, by the kind of its error or else its status."""


@dataclass(frozen=True, slots=True)
class Reason:
    """``facts`` are what the sentence of the code asks for; ``members`` are pairs of a name and a key of ``FAULTS``."""

    code: ReasonCode
    facts: Mapping[str, Fact] = field(default_factory=dict)

    def sentence(self, translate: Callable[[str], str] = str) -> str:
        """The sentence for people. ``translate`` turns a text of this module into another language."""
        return translate(SENTENCES[self.code]) % {name: _shown(fact, translate) for name, fact in self.facts.items()}

    def __str__(self) -> str:
        return self.sentence()


def _shown(fact: Fact, translate: Callable[[str], str]) -> str:
    if isinstance(fact, str | int):
        return str(fact)
    return ", ".join(translate(ONE_MEMBER) % {"name": name, "fault": fault_word(kind, translate)} for name, kind in fact)


def fault_word(kind: str, translate: Callable[[str], str] = str) -> str:
    """A kind in words; one that this version does not know speaks for itself."""
    return translate(FAULTS[kind]) if kind in FAULTS else kind.replace("_", " ")
