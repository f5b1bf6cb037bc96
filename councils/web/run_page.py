"""Everything the run page shows, read from the rows of one run. Templates only place it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property

from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from councils.engine.ending import CHAIRMAN
from councils.engine.reasons import ReasonCode
from councils.engine.steps import opinion_key
from councils.engine.types import Mark, Stage
from councils.live.messages import Draft
from councils.models import CallStatus, CouncilRun
from councils.services.titles import READ, without_marks
from councils.web.cards import Card, Chair, card_of, chair_of
from councils.web.costs import CostLine, cost_lines, cost_total
from councils.web.counts import SYSTEMS, Standing
from councils.web.members import Member, State, Text, state_of
from councils.web.missing import missing, substituted
from councils.web.rail import ACTIVE, StageView, stages_of
from councils.web.record import Record
from councils.web.votes import Vote, deciding, votes_of

MARKS: Mapping[str, Text] = {
    Mark.SINGLE.value: _("Only one member answered, so nothing was compared."),
    Mark.UNREVIEWED.value: _("The answers are not ranked: there was no review, or too few valid ballots."),
    Mark.CONTESTED.value: _("Another way of counting the same ballots has another winner."),
    Mark.SUBSTITUTED.value: _("A substitute model spoke for at least one member."),
    Mark.DEGRADED.value: _("Some members failed or were late."),
    Mark.VERBATIM.value: _("The chairman did not answer; this is the best answer in its author's own words."),
    Mark.BUDGET.value: _("A budget could not pay for all calls, so some were not made."),
    Mark.DEADLINE.value: _("The time for this run was up; this is what was there."),
}
# What the reason of the end says already, and better: it knows the cause.
SAID_BY_REASON: Mapping[str, frozenset[str]] = {
    Mark.UNREVIEWED.value: frozenset(code.value for code in ReasonCode if code.value.endswith(("_unranked", "_unreviewed"))),
    Mark.VERBATIM.value: frozenset(code.value for code in ReasonCode if code.value.startswith("no_chairman_")),
    Mark.DEADLINE.value: frozenset(code.value for code in ReasonCode if code.value.startswith("out_of_time_")),
    Mark.BUDGET.value: frozenset(code.value for code in ReasonCode if code.value.startswith("out_of_budget_")),
}
SPOKEN: Mapping[str, Text] = {
    Stage.OPINIONS.value: _("The members write their opinions."),
    Stage.REVIEW.value: _("The opinions are in. The members review them."),
    Stage.SYNTHESIS.value: _("The chairman writes the answer."),
}
LONG_QUESTION = 220


class RunPage:
    """A run for its page. ``run`` comes ``with_details()``; ``drafts`` is the text so far by step key."""

    def __init__(self, run: CouncilRun, *, drafts: Mapping[str, Draft], now: datetime | None = None) -> None:
        self.run = run
        self.record = Record(run, drafts=drafts, now=now)
        self.snapshot, self.panel = self.record.snapshot, self.record.panel

    @property
    def state(self) -> State:
        return state_of(self.run)

    @property
    def is_live(self) -> bool:
        return self.run.is_live

    @property
    def is_settling(self) -> bool:
        """The run has ended and some of its calls are not booked yet: texts and totals may still change."""
        sending = CallStatus.SENDING.value
        return not self.is_live and any(call.status == sending for row in self.record.rows.values() for call in row.calls.all())

    @property
    def seq(self) -> int:
        """The newest event that these rows contain."""
        return self.run.next_seq - 1

    @property
    def question(self) -> str:
        return self.run.message.text

    @cached_property
    def title(self) -> str:
        """The question as a heading. What is nothing but marks stays as it was written."""
        return without_marks(self.question[:READ]) or self.question

    @property
    def has_long_question(self) -> bool:
        return len(self.question) > LONG_QUESTION or "\n" in self.question.strip()

    @property
    def system(self) -> Text:
        return SYSTEMS[self.snapshot.spec.voting_system]

    @property
    def elapsed(self) -> timedelta:
        """From the question to the end, or to now. Clocks of machines differ: never below zero."""
        return max((self.run.finished_at or self.record.now) - self.run.created_at, timedelta())

    @property
    def elapsed_ms(self) -> int:
        return int(self.elapsed.total_seconds() * 1000)

    @property
    def marks(self) -> list[Text]:
        return [sentence for mark in self.run.marks for sentence in self._said_of(mark)]

    def _said_of(self, mark: str) -> list[Text]:
        if self.run.reason_code in SAID_BY_REASON.get(mark, ()):
            return []
        if mark == Mark.DEGRADED:
            # Without an answer the reason names everybody already.
            return [*(missing(self.record) if self.run.answer else ())] or [MARKS[mark]]
        named = substituted(self.record) if mark == Mark.SUBSTITUTED else ""
        return [named or MARKS[mark]] if mark in MARKS else []

    @cached_property
    def cards(self) -> Sequence[Card]:
        """The opinions of every round, in the order of the seats; all members who answer, asked yet or not."""
        members = self.panel.answering()
        revising = [member for member in members if opinion_key(member.agent_id, 2) in self.record.rows]
        asked = [*((member, 1) for member in members), *((member, 2) for member in revising)]
        return [card_of(self.record, member, round_, self._standings) for member, round_ in asked]

    def card(self, key: str) -> Card | None:
        return next((card for card in self.cards if card.key == key), None)

    @property
    def written(self) -> int:
        """How many opinions are there to read, whole ones only."""
        return sum(bool(card.text) and not card.unfinished for card in self.cards)

    @property
    def broken_off(self) -> int:
        """How many opinions were begun and not finished."""
        return sum(card.unfinished for card in self.cards)

    @cached_property
    def _standings(self) -> Mapping[str, Standing]:
        count = self.vote.count if self.vote else None
        return {standing.answer.candidate: standing for standing in count.standings} if count else {}

    @cached_property
    def votes(self) -> Sequence[Vote]:
        """The rounds of reviews, and the first one already while it is to come."""
        return votes_of(self.record)

    @property
    def vote(self) -> Vote | None:
        """The round that decides."""
        return deciding(self.votes)

    @cached_property
    def chair(self) -> Chair:
        return chair_of(self.record)

    @property
    def is_synthesising(self) -> bool:
        return self.is_live and self.record.has_synthesis

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
        return stages_of(self.record)

    @cached_property
    def cost_lines(self) -> Sequence[CostLine]:
        return cost_lines(self.record.rows.values(), name=self.panel.label_of)

    @property
    def cost_total(self) -> CostLine:
        return cost_total(self.cost_lines)

    @property
    def known_cost_is_all(self) -> bool:
        return self.run.unknown_costs == 0

    @property
    def spoken(self) -> str:
        """One sentence for those who hear the page, another one only when the stage changes: counts would flood them."""
        if not self.is_live:
            return _t("The run has ended: %(state)s.") % {"state": self.state.word}
        if self.run.is_held:
            return str(self.state.word)
        active = next((stage for stage in reversed(self.stages) if stage.state is ACTIVE), None)
        return str(SPOKEN[active.name] if active else self.state.word)
