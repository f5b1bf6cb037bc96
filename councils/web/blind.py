"""The page of a blind run before its reader has picked: the answers under numbers, and nothing that tells whose they are.

It has templates of its own rather than gaps in the usual ones, so that whatever those learn to show stays off this page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from councils.engine.steps import SYNTHESIS, author_of, opinion_key, round_of
from councils.engine.types import StepStatus
from councils.live.drafts import read_drafts
from councils.live.messages import Draft
from councils.models import CouncilRun, RunStep
from councils.services.veiling import ENOUGH_TO_COMPARE, Veil, answers_are_in, veil_of, whole_answers
from councils.web.members import ABSENT, OPINION_STATES, WAITING, State

BLIND_PARTS = {
    "head": "councils/run/_blind_head.html",
    "rail": "councils/run/_rail.html",
    "answers": "councils/run/_blind_answers.html",
    "body": "councils/run/_blind.html",
}
NO_DRAFT = Draft(attempt=0, text="")
_BROKEN_OFF = frozenset({StepStatus.CANCELLED.value, StepStatus.LATE.value})
_OPEN = frozenset({StepStatus.RUNNING.value, StepStatus.LATE.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindAnswer:
    """One answer without its author. ``alias`` names it in forms and frames; ``is_whole``: it can be picked."""

    alias: str
    number: int
    is_revision: bool
    state: State
    text: str
    draft: Draft
    is_open: bool
    is_whole: bool

    @property
    def key(self) -> str:
        return opinion_key(self.alias)

    @property
    def anchor(self) -> str:
        return self.alias.replace(":", "-")


class BlindPage:
    """What can be seen of a run through its veil. ``run`` comes ``with_details()``."""

    def __init__(self, run: CouncilRun, veil: Veil, drafts: Mapping[str, Draft]) -> None:
        self.run, self.veil = run, veil
        self._drafts = drafts
        self._rows = {step.key: step for step in run.steps.all()}
        self._whole = frozenset(whole_answers(self._rows.values()))

    @cached_property
    def answers(self) -> Sequence[BlindAnswer]:
        """All answers by number, begun or not; revisions after all first ones."""
        revised = (key.partition(":")[2] for key in self._rows if key.startswith("opinion:") and round_of(key) > 1)
        return [self._answer(candidate) for candidate in self.veil.shown([*self.veil.numbers, *revised])]

    def _answer(self, candidate: str) -> BlindAnswer:
        key = opinion_key(candidate)
        row = self._rows.get(key)
        is_open = row.status in _OPEN if row else self.run.is_live
        return BlindAnswer(
            alias=self.veil.alias(candidate),
            number=self.veil.numbers[author_of(candidate)],
            is_revision=round_of(candidate) > 1,
            state=self._state(row),
            text=row.text if row and (candidate in self._whole or row.status in _BROKEN_OFF) else "",
            draft=self._draft(key) if is_open else NO_DRAFT,
            is_open=is_open,
            is_whole=candidate in self._whole,
        )

    def _draft(self, key: str) -> Draft:
        draft = self._drafts.get(key)
        return Draft(attempt=self.veil.attempt(key, draft["attempt"]), text=draft["text"]) if draft else NO_DRAFT

    def _state(self, row: RunStep | None) -> State:
        if row is None:
            return WAITING if self.run.is_live else ABSENT
        return OPINION_STATES[StepStatus(row.status)]

    @property
    def choices(self) -> Sequence[BlindAnswer]:
        """The answers that can be picked now; empty while some are still to come."""
        whole = [answer for answer in self.answers if answer.is_whole]
        return whole if len(whole) >= ENOUGH_TO_COMPARE and answers_are_in(self.run, self._rows.values()) else []

    @property
    def synthesis(self) -> Draft | None:
        """What the chairman has written so far; ``None`` while it does not write."""
        row = self._rows.get(SYNTHESIS)
        return self._drafts.get(SYNTHESIS, NO_DRAFT) if row and self.run.is_live else None


def blind_page(run: CouncilRun) -> BlindPage | None:
    """The blind page of a run that came ``with_details()``; ``None`` when everything may be seen."""
    veil = veil_of(run)
    return BlindPage(run, veil, read_drafts(run.public_id) if run.is_live else {}) if veil else None
