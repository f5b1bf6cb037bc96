"""The steps that write text, as cards: who writes, with which model, how far it is, what it took, and what went wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from councils.engine.steps import SYNTHESIS, opinion_key
from councils.engine.types import FinishReason, StepStatus, UsageSource
from councils.models import CallStatus, ModelCall, RunStep
from councils.providers.usage import estimate_tokens
from councils.web import phrases
from councils.web.counts import Standing
from councils.web.members import ABSENT, OPINION_STATES, WAITING, Answer, Member, State, Text
from councils.web.record import Record, calls_of, is_broken_off, problem_of

CUTS: Mapping[str, Text] = {
    FinishReason.LENGTH.value: _("cut at the token limit"),
    FinishReason.SIZE.value: _("cut at the size limit"),
    FinishReason.FILTERED.value: _("cut by the provider's filter"),
}
SHORT_PERSONA = 40
LATENESS: Mapping[str, Text] = {
    StepStatus.LATE.value: _("It took much longer than the others, so the council went on without it."),
    StepStatus.LATE_DONE.value: _("This came after the council had gone on: it was not reviewed and no part of the vote."),
}

KEPT = _("kept from an earlier try, not paid again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What the calls of one step have taken. Tokens and cost are ``None`` where nothing is known of them, or nothing was sent.

    ``estimated``: not all of the tokens were counted by a provider. ``unknown`` counts ended calls whose cost is not known. ``cached``: the
    answer came from the cache; what earlier tries took is told all the same.
    """

    tokens: int | None
    estimated: bool
    cost_usd: Decimal | None
    unknown: int
    cached: bool = False

    @classmethod
    def on(cls, calls: Sequence[ModelCall]) -> "Spent":
        ended = [call for call in calls if call.status != CallStatus.SENDING.value and not call.cached]
        tokens = [call.completion_tokens for call in ended if call.completion_tokens is not None]
        costs = [call.cost_usd for call in ended if call.cost_usd is not None]
        return cls(
            tokens=sum(tokens) if tokens else None,
            estimated=any(call.usage_source == UsageSource.ESTIMATED.value for call in ended),
            cost_usd=sum(costs, Decimal(0)) if costs else None,
            unknown=len(ended) - len(costs),
            cached=any(call.cached and call.status == CallStatus.DONE.value for call in calls),
        )


NOTHING_SPENT = Spent(tokens=None, estimated=False, cost_usd=None, unknown=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One opinion. ``draft`` is the text so far of one that is being written, ``working_ms`` how long it has been at work.

    ``unfinished``: the text was broken off and will not go on. ``remark`` explains what is special about it, in a sentence.
    """

    key: str
    answer: Answer
    state: State
    persona: str = ""
    text: str = ""
    unfinished: bool = False
    draft: str = ""
    draft_attempt: int = 0
    model: str = ""
    substituted: bool = False
    spent: Spent = NOTHING_SPENT
    latency_ms: int | None = None
    working_ms: int | None = None
    note: Text = ""
    problem: str = ""
    remark: Text = ""
    tries: int = 0
    standing: Standing | None = None

    @property
    def member(self) -> Member:
        return self.answer.member

    @property
    def has_long_persona(self) -> bool:
        """Whether the persona does not fit into one line."""
        return len(self.persona) > SHORT_PERSONA or "\n" in self.persona.strip()

    @property
    def draft_tokens(self) -> int:
        return estimate_tokens(self.draft)

    @property
    def working(self) -> timedelta | None:
        return None if self.working_ms is None else timedelta(milliseconds=self.working_ms)


def card_of(record: Record, member: Member, round_: int, standings: Mapping[str, Standing]) -> Card:
    """The card of a member's opinion in a round, asked yet or not."""
    key = opinion_key(member.agent_id, round_)
    answer = record.panel.answer_of(member.agent_id, round_)
    persona = record.snapshot.spec.seat(member.agent_id).persona
    row = record.rows.get(key)
    if row is None:
        return Card(key=key, answer=answer, state=WAITING if record.is_live else ABSENT, model=member.model, persona=persona)
    calls = calls_of(row)
    spent = Spent.on(calls)
    draft = record.draft(row)
    return Card(
        key=key,
        answer=answer,
        state=record.state(row, OPINION_STATES),
        persona=persona,
        text=row.text,
        unfinished=is_broken_off(row),
        draft=draft["text"],
        draft_attempt=draft["attempt"],
        model=record.model(row, member.model),
        substituted=_is_substituted(row, calls),
        spent=spent,
        # What came from the cache came at once: its time is that of an earlier run.
        latency_ms=None if spent.cached else row.latency_ms,
        working_ms=_working_ms(record, row),
        note=KEPT if row.carried else CUTS.get(row.finish_reason, ""),
        problem=problem_of(row),
        remark=LATENESS.get(row.status, "") or _substitution(record, row, calls),
        tries=len(calls),
        standing=standings.get(answer.candidate),
    )


def _is_substituted(row: RunStep, calls: Sequence[ModelCall]) -> bool:
    return row.substituted or (bool(calls) and calls[-1].substituted)


def _substitution(record: Record, row: RunStep, calls: Sequence[ModelCall]) -> str:
    """Who spoke for whom, and why."""
    if not _is_substituted(row, calls):
        return ""
    failed = next((call for call in reversed(calls) if not call.substituted), None)
    if failed is None:
        return _t("A substitute model speaks for this member.")
    names = {"model": record.panel.label_of(failed.model_name), "substitute": record.model(row, "")}
    reason = phrases.fault(failed.error_kind, failed.error_detail)
    if not reason:
        return _t("%(substitute)s speaks for %(model)s, which failed.") % names
    return _t("%(substitute)s speaks for %(model)s, which failed: %(reason)s") % {**names, "reason": reason}


def _working_ms(record: Record, row: RunStep) -> int | None:
    """Since the member was asked, while it is at work. Clocks of machines differ: never below zero."""
    if not record.is_live or row.status != StepStatus.RUNNING.value:
        return None
    return max(int((record.now - row.started_at).total_seconds() * 1000), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chair:
    """The chairman's work. ``notes`` are the points that only one member saw, where the chairman listed them.

    ``unfinished`` is what it had written when it was broken off.
    """

    state: State
    model: str
    draft: str = ""
    draft_attempt: int = 0
    notes: str = ""
    problem: str = ""
    unfinished: str = ""
    working_ms: int | None = None

    @property
    def working(self) -> timedelta | None:
        return None if self.working_ms is None else timedelta(milliseconds=self.working_ms)


def chair_of(record: Record) -> Chair:
    """The chairman, asked yet or not."""
    row = record.rows.get(SYNTHESIS)
    if row is None:
        return Chair(state=WAITING, model=record.panel.chairman_model)
    draft = record.draft(row)
    payload: dict[str, Any] = row.payload
    return Chair(
        state=record.state(row, OPINION_STATES),
        model=record.model(row, record.panel.chairman_model),
        draft=draft["text"],
        draft_attempt=draft["attempt"],
        notes=str(payload.get("notes", "")),
        problem=problem_of(row),
        unfinished=row.text if is_broken_off(row) else "",
        working_ms=_working_ms(record, row),
    )
