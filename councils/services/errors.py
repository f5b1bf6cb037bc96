"""What a use case refuses, as one tree. The docstring is the message for people, ``code`` the one for programs.

Rejected                      status
├── EmptyQuestion               400
├── QuestionTooLong             400
├── InvalidText                 400    characters that no database takes
├── CouncilUnavailable          409    switched off, or too few working seats
├── ConversationBusy            409    the last question is still being answered
├── NotRepeatable               409    the question is answered, or still being answered
├── ConversationGone            409    deleted meanwhile
└── IdempotencyConflict         409    the same key with another request
"""

from typing import ClassVar


class Rejected(Exception):
    """This cannot be done."""

    code: ClassVar[str] = "rejected"
    status: ClassVar[int] = 400

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """One or two sentences for people: what happened, what to do."""
        return " ".join(part for part in (" ".join((type(self).__doc__ or "").split()), self.detail) if part)


class EmptyQuestion(Rejected):
    """The question is empty. Write what you want to know."""

    code = "empty_question"


class QuestionTooLong(Rejected):
    """The question is too long."""

    code = "question_too_long"


class InvalidText(Rejected):
    """The text holds characters that cannot be stored. Remove them and send it again."""

    code = "invalid_text"


class CouncilUnavailable(Rejected):
    """This council cannot be asked now."""

    code = "council_unavailable"
    status = 409


class ConversationBusy(Rejected):
    """The last question of this conversation is still being answered. Wait for it or cancel it."""

    code = "conversation_busy"
    status = 409


class NotRepeatable(Rejected):
    """Only a question that failed, was cancelled or was answered in part can be asked again."""

    code = "not_repeatable"
    status = 409


class ConversationGone(Rejected):
    """This conversation was deleted meanwhile. Restore it, or ask in a new one."""

    code = "conversation_gone"
    status = 409


class IdempotencyConflict(Rejected):
    """This idempotency key was used for another request. Use a new key."""

    code = "idempotency_conflict"
    status = 409
