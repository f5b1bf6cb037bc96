"""The page of a run that another version of this software recorded: what was asked and answered, and nothing that needs its rules."""

from councils.models import CouncilRun
from councils.web.members import State, state_of
from councils.web.run_page import LONG_QUESTION


class UnreadablePage:
    """What can be shown of a run whose configuration this version does not understand."""

    def __init__(self, run: CouncilRun) -> None:
        self.run = run

    @property
    def state(self) -> State:
        return state_of(self.run)

    @property
    def is_live(self) -> bool:
        return self.run.is_live

    @property
    def question(self) -> str:
        return self.run.message.text

    @property
    def has_long_question(self) -> bool:
        return len(self.question) > LONG_QUESTION or "\n" in self.question.strip()
