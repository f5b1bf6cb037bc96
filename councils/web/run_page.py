"""Everything the run page shows, read from the rows of one run. Templates only place it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from councils.engine import panel as vote_panel
from councils.engine.deliberation import StepState
from councils.engine.ending import CHAIRMAN
from councils.engine.steps import SYNTHESIS, opinion_key, review_key, tally_key
from councils.engine.types import FinishReason, Mark, StepStatus, UsageSource
from councils.live import Draft
from councils.models import CallStatus, CouncilRun, ModelCall, RunStep
from councils.runner.work import step_state
from councils.snapshot import Snapshot
from councils.web.costs import STAGE_TITLES, CostLine, cost_lines, cost_total
from councils.web.members import ABSENT, OPINION_STATES, REVIEW_STATES, RUN_STATES, WAITING, Answer, Member, Panel, State, Text
from councils.web.retries import retrying, seconds_until_next_try
from councils.web.votes import SYSTEMS, Standing, Vote, ballot_row, present_count

MARKS: Mapping[str, Text] = {
    Mark.SINGLE.value: _("Only one member answered, so nothing was compared."),
    Mark.UNREVIEWED.value: _("The answers are not ranked: there was no review, or too few valid ballots."),
    Mark.CONTESTED.value: _("Another way of counting the same ballots has another winner."),
    Mark.SUBSTITUTED.value: _("A substitute model spoke for at least one member."),
    Mark.DEGRADED.value: _("Some members failed or were late."),
    Mark.VERBATIM.value: _("The chairman did not answer; this is the best answer in its author's own words."),
    Mark.DEADLINE.value: _("The time for this run was up; this is what was there."),
}
CUTS: Mapping[str, Text] = {
    FinishReason.LENGTH.value: _("cut at the token limit"),
    FinishReason.SIZE.value: _("cut at the size limit"),
    FinishReason.FILTERED.value: _("cut by the provider's filter"),
}
LONG_QUESTION = 220
ROUNDS = (1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One step that writes text. ``draft`` is the text so far of an answer that is being written.

    ``unfinished``: the text was broken off and will not go on. ``estimated``: not all of the tokens were counted by a provider.
    """

    key: str
    answer: Answer
    state: State
    text: str = ""
    unfinished: bool = False
    draft: str = ""
    draft_attempt: int = 0
    model: str = ""
    substituted: bool = False
    completion_tokens: int | None = None
    estimated: bool = False
    latency_ms: int | None = None
    note: Text = ""
    problem: str = ""
    tries: int = 0
    standing: Standing | None = None

    @property
    def member(self) -> Member:
        return self.answer.member


@dataclass(frozen=True, slots=True, kw_only=True)
class StageView:
    """One stop of the rail."""

    name: str
    title: Text
    state: str
    word: Text
    icon: str
    settled: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chair:
    """The chairman's work. ``notes`` are the points that only one member saw, where the chairman listed them.

    ``unfinished`` is what it had written when it was broken off.
    """

    state: State
    model: str
    draft: str
    draft_attempt: int
    notes: str
    problem: str
    unfinished: str


class RunPage:
    """A run for its page. ``run`` comes ``with_details()``; ``drafts`` is the text so far by step key."""

    def __init__(self, run: CouncilRun, *, drafts: Mapping[str, Draft], now: datetime | None = None) -> None:
        self.run = run
        self.snapshot = Snapshot.from_json(run.config_snapshot)
        self.panel = Panel(self.snapshot)
        self._now = now or timezone.now()
        self._drafts = drafts
        self._rows: dict[str, RunStep] = {step.key: step for step in run.steps.all()}

    @cached_property
    def _steps(self) -> dict[str, StepState]:
        return {key: step_state(row) for key, row in self._rows.items()}

    @property
    def state(self) -> State:
        return RUN_STATES[self.run.status]

    @property
    def is_live(self) -> bool:
        return self.run.is_live

    @property
    def is_settling(self) -> bool:
        """The run has ended and some of its calls are not booked yet: texts and totals may still change."""
        sending = CallStatus.SENDING.value
        return not self.is_live and any(call.status == sending for row in self._rows.values() for call in row.calls.all())

    @property
    def seq(self) -> int:
        """The newest event that these rows contain."""
        return self.run.next_seq - 1

    @property
    def question(self) -> str:
        return self.run.message.text

    @property
    def has_long_question(self) -> bool:
        return len(self.question) > LONG_QUESTION or "\n" in self.question.strip()

    @property
    def system(self) -> Text:
        return SYSTEMS[self.snapshot.spec.voting_system]

    @property
    def elapsed(self) -> timedelta:
        """From the question to the end, or to now. Clocks of machines differ: never below zero."""
        return max((self.run.finished_at or self._now) - self.run.created_at, timedelta())

    @property
    def elapsed_ms(self) -> int:
        return int(self.elapsed.total_seconds() * 1000)

    @property
    def marks(self) -> list[Text]:
        return [MARKS[mark] for mark in self.run.marks if mark in MARKS]

    @cached_property
    def cards(self) -> Sequence[Card]:
        """The opinions of every round, in the order of the seats; all members who answer, asked yet or not."""
        first = [self._card(member, 1) for member in self.panel.answering()]
        second = [self._card(member, 2) for member in self.panel.answering() if opinion_key(member.agent_id, 2) in self._rows]
        return first + second

    def card(self, key: str) -> Card | None:
        return next((card for card in self.cards if card.key == key), None)

    def _card(self, member: Member, round_: int) -> Card:
        key = opinion_key(member.agent_id, round_)
        answer = self.panel.answer_of(member.agent_id, round_)
        row = self._rows.get(key)
        if row is None:
            return Card(key=key, answer=answer, state=WAITING if self.is_live else ABSENT, model=member.model)
        calls = list(row.calls.all())
        draft = self._draft(key, row)
        return Card(
            key=key,
            answer=answer,
            state=self._state(row, OPINION_STATES),
            text=row.text,
            unfinished=_is_broken_off(row),
            draft=draft["text"],
            draft_attempt=draft["attempt"],
            model=row.model_name or (self.panel.label_of(calls[-1].model_name) if calls else member.model),
            substituted=row.substituted or (bool(calls) and calls[-1].substituted),
            completion_tokens=_completion_tokens(calls),
            estimated=any(call.usage_source == UsageSource.ESTIMATED.value for call in calls),
            latency_ms=row.latency_ms,
            note=CUTS.get(row.finish_reason, ""),
            problem=row.error_message or _last_failure(calls, row),
            tries=len(calls),
            standing=self._standings.get(answer.candidate),
        )

    def _state(self, row: RunStep, states: Mapping[StepStatus, State]) -> State:
        if self.is_live and _last_failure(list(row.calls.all()), row):
            return retrying(self._waits.get(row.key, 0))
        return states[StepStatus(row.status)]

    @cached_property
    def _waits(self) -> Mapping[str, int]:
        return seconds_until_next_try(self.run, self._now)

    @property
    def written(self) -> int:
        """How many opinions are there to read, whole ones only."""
        return sum(bool(card.text) and not card.unfinished for card in self.cards)

    @property
    def broken_off(self) -> int:
        """How many opinions were begun and not finished."""
        return sum(card.unfinished for card in self.cards)

    def _draft(self, key: str, row: RunStep | None) -> Draft:
        open_now = row is not None and row.status in {StepStatus.RUNNING.value, StepStatus.LATE.value}
        return self._drafts.get(key, Draft(attempt=0, text="")) if open_now else Draft(attempt=0, text="")

    @cached_property
    def _standings(self) -> Mapping[str, Standing]:
        count = self.vote.count if self.vote else None
        return {standing.answer.candidate: standing for standing in count.standings} if count else {}

    @cached_property
    def votes(self) -> Sequence[Vote]:
        """The rounds of reviews that have begun."""
        return [vote for round_ in ROUNDS if (vote := self._vote(round_))]

    @property
    def vote(self) -> Vote | None:
        """The round that decides: the newest one that was counted, else the newest."""
        counted = [vote for vote in self.votes if vote.count]
        return next(reversed(counted or list(self.votes)), None)

    def _vote(self, round_: int) -> Vote | None:
        asked = [seat for seat in self.snapshot.spec.reviewing() if review_key(seat.agent_id, round_) in self._rows]
        if not asked:
            return None
        tally = self._steps[tally_key(round_)].tally if tally_key(round_) in self._steps else None
        names = tally.order if tally else vote_panel.candidates(self.snapshot.spec, self._steps, round_)
        answers = [self.panel.answer(name) for name in names]
        rows = []
        for seat in asked:
            key = review_key(seat.agent_id, round_)
            state = self._state(self._rows[key], REVIEW_STATES)
            rows.append(ballot_row(self._rows[key], self._steps[key].ballot, self.panel.member(seat.agent_id), answers, state))
        return Vote(round=round_, answers=answers, rows=rows, count=present_count(tally, self.panel) if tally else None)

    @property
    def chair(self) -> Chair:
        row = self._rows.get(SYNTHESIS)
        draft = self._draft(SYNTHESIS, row)
        calls: list[ModelCall] = list(row.calls.all()) if row else []
        payload: dict[str, Any] = row.payload if row else {}
        return Chair(
            state=OPINION_STATES[StepStatus(row.status)] if row else WAITING,
            model=(row.model_name if row else "") or (self.panel.label_of(calls[-1].model_name) if calls else self.panel.chairman_model),
            draft=draft["text"],
            draft_attempt=draft["attempt"],
            notes=str(payload.get("notes", "")),
            problem=(row.error_message or _last_failure(calls, row)) if row else "",
            unfinished=row.text if row and _is_broken_off(row) else "",
        )

    @property
    def is_synthesising(self) -> bool:
        return self.is_live and SYNTHESIS in self._rows

    @property
    def author(self) -> Member | None:
        """The member whose words the answer is; ``None`` when the chairman wrote it or there is none."""
        return None if self.run.answer_by in {"", CHAIRMAN} else self.panel.members.get(self.run.answer_by)

    @property
    def by_chairman(self) -> bool:
        return self.run.answer_by == CHAIRMAN

    @cached_property
    def stages(self) -> Sequence[StageView]:
        """The rail."""
        opinions = [key for key in self._rows if key.startswith("opinion:")]
        reviews = [key for key in self._rows if key.startswith("review:")]
        begun = (bool(opinions), bool(reviews), SYNTHESIS in self._rows)
        totals = (
            max(len(self.panel.answering()), len(opinions)),
            max(self._reviewers_expected(), len(reviews)),
            1,
        )
        keys = (opinions, reviews, [SYNTHESIS] if begun[2] else [])
        return [
            self._stage(name, keys[place], total=totals[place], later=any(begun[place + 1 :])) for place, name in enumerate(STAGE_TITLES)
        ]

    def _reviewers_expected(self) -> int:
        """Who reviews is known when the opinions are in; until then all who may."""
        spec = self.snapshot.spec
        if not spec.enable_peer_review:
            return 0
        first = [self._steps.get(opinion_key(seat.agent_id)) for seat in spec.answering()]
        if any(step is None or step.status is StepStatus.RUNNING for step in first):
            return len(spec.reviewing())
        return len(vote_panel.reviewers(spec, self._steps))

    def _stage(self, name: str, keys: Sequence[str], *, total: int, later: bool) -> StageView:
        rows = [self._rows[key] for key in keys]
        settled = sum(row.status in _ANSWERED for row in rows)
        is_open = any(row.status == StepStatus.RUNNING.value for row in rows)
        if rows and self.is_live and (is_open or not later):
            state, word, icon = "active", _t("now"), "active"
        elif rows:
            state, word, icon = _ended(settled, len(rows))
        elif self.is_live and not later and total:
            state, word, icon = "waiting", _t("to come"), "waiting"
        else:
            state, word, icon = "skipped", _t("left out"), "skipped"
        return StageView(name=name, title=STAGE_TITLES[name], state=state, word=word, icon=icon, settled=settled, total=total)

    @cached_property
    def cost_lines(self) -> Sequence[CostLine]:
        return cost_lines(self._rows.values(), name=self.panel.label_of)

    @property
    def cost_total(self) -> CostLine:
        return cost_total(self.cost_lines)

    @property
    def known_cost_is_all(self) -> bool:
        return self.run.unknown_costs == 0

    @property
    def spoken(self) -> str:
        """One sentence for those who hear the page: where the run stands."""
        if not self.is_live:
            return _t("The run has ended: %(state)s.") % {"state": self.state.word}
        active = next((stage for stage in reversed(self.stages) if stage.state == "active"), None)
        if active is None:
            return str(self.state.word)
        return _t("%(stage)s: %(settled)d of %(total)d.") % {"stage": active.title, "settled": active.settled, "total": active.total}


def _ended(settled: int, asked: int) -> tuple[str, str, str]:
    """State, word and shape of a stage that is over. Green is for those in which everybody answered."""
    if not settled:
        return "failed", _t("without a result"), "failed"
    return ("done", _t("done"), "done") if settled == asked else ("partial", _t("done in part"), "partial")


_ANSWERED = frozenset({StepStatus.DONE.value, StepStatus.LATE_DONE.value})


def _is_broken_off(row: RunStep) -> bool:
    return bool(row.text) and row.status in {StepStatus.CANCELLED.value, StepStatus.LATE.value}


def _completion_tokens(calls: Sequence[ModelCall]) -> int | None:
    known = [call.completion_tokens for call in calls if call.completion_tokens is not None]
    return sum(known) if known else None


def _last_failure(calls: Sequence[ModelCall], row: RunStep) -> str:
    """What the last attempt met, while the step still goes on; a new attempt that is being sent makes it history."""
    if row.status != StepStatus.RUNNING.value or not calls or calls[-1].status == CallStatus.SENDING.value:
        return ""
    return calls[-1].error_detail
