"""What a use case refuses, as one tree. ``sentence`` is for people, in the language of whoever asks; ``code`` is for programs.

Rejected                      status
├── EmptyQuestion               400
├── QuestionTooLong             400
├── InvalidText                 400    characters that no database takes
├── CouncilUnavailable          409    switched off, or too few working seats
├── UnknownMember               400    a seat that this council does not have, or that does not answer
├── BudgetExceeded              402    a budget has too little left; ``facts`` say which, how much, until when
├── ConversationBusy            409    the last question is still being answered
├── NotRepeatable               409    nothing failed, or nothing but the chairman's part can be asked for
├── ModelsGone                  409    a kept answer needs a model again that is switched off or gone
├── ConversationGone            409    deleted meanwhile
├── NamesAreShown               409    a pick counts only before the names are known
├── AnswersNotIn                409    fewer than two whole answers, or some are still being written
├── UnknownAnswer               400    a pick of an answer that is not there
├── NothingToJudge              409    thumbs for a run without an answer
├── ReasonTooLong               400
├── TooManyQuestions            400    more than a trial takes
└── IdempotencyConflict         409    the same key with another request
"""

from collections.abc import Mapping
from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Rejected(Exception):
    """A refusal. ``detail`` says more in the same language: what exactly, how much, until when. ``facts`` say it to programs."""

    code: ClassVar[str] = "rejected"
    status: ClassVar[int] = 400
    sentence: ClassVar[str | Promise] = _("This cannot be done.")

    def __init__(self, detail: str = "", facts: Mapping[str, str] | None = None) -> None:
        self.detail = detail
        self.facts = facts or {}
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """One or two sentences for people: what happened, what to do."""
        return f"{self.sentence} {self.detail}".strip()


class EmptyQuestion(Rejected):
    code = "empty_question"
    sentence = _("The question is empty. Write what you want to know.")


class QuestionTooLong(Rejected):
    code = "question_too_long"
    sentence = _("The question is too long.")


class InvalidText(Rejected):
    code = "invalid_text"
    sentence = _("The text holds characters that cannot be stored. Remove them and send it again.")


class CouncilUnavailable(Rejected):
    code = "council_unavailable"
    status = 409
    sentence = _("This council cannot be asked now.")


class UnknownMember(Rejected):
    code = "unknown_member"
    sentence = _("This council has no such member to ask.")


class BudgetExceeded(Rejected):
    code = "budget_exceeded"
    status = 402
    sentence = _("There is not enough left in a budget for this question.")


class ConversationBusy(Rejected):
    code = "conversation_busy"
    status = 409
    sentence = _("The last question of this conversation is still being answered. Wait for it or cancel it.")


class NotRepeatable(Rejected):
    code = "not_repeatable"
    status = 409
    sentence = _("This run cannot be gone on with in this way.")


class ModelsGone(Rejected):
    code = "models_gone"
    status = 409
    sentence = _("Not all models of this run can be asked any more. Ask again from the start: then the council is asked as it sits today.")


class ConversationGone(Rejected):
    code = "conversation_gone"
    status = 409
    sentence = _("This conversation was deleted meanwhile. Restore it, or ask in a new one.")


class TooManyQuestions(Rejected):
    code = "too_many_questions"
    sentence = _("These are too many questions for a trial.")


class IdempotencyConflict(Rejected):
    code = "idempotency_conflict"
    status = 409
    sentence = _("This idempotency key was used for another request. Use a new key.")


class NamesAreShown(Rejected):
    code = "names_are_shown"
    status = 409
    sentence = _("The names are shown already. A pick counts only before that.")


class AnswersNotIn(Rejected):
    code = "answers_not_in"
    status = 409
    sentence = _("The answers are not all in yet. Pick one when they are.")


class UnknownAnswer(Rejected):
    code = "unknown_answer"
    sentence = _("There is no such answer to pick.")


class NothingToJudge(Rejected):
    code = "nothing_to_judge"
    status = 409
    sentence = _("There is no answer to judge.")


class ReasonTooLong(Rejected):
    code = "reason_too_long"
    sentence = _("The reason is too long. Write at most 2,000 characters.")
