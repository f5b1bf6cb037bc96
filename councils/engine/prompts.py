"""From a step to the call that carries it out: messages, schema, models in order of fallback."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from councils.engine.anonymity import byline, display_order, judged_text, make_labels
from councils.engine.fences import Block, fence, parse_fences, pick_nonce, sanitise
from councils.engine.panel import Steps, answer_text, ballots, final_tally
from councils.engine.steering import chairman_task, result_line, selection
from councils.engine.steps import agent_of, review_key, round_of, stage_of
from councils.engine.templates import (
    DEFAULT_PROMPTS,
    EXTRA_ROUND,
    MEANINGS,
    PLACEHOLDERS,
    REVIEW_FORM,
    REVIEW_RULES,
    SYNTHESIS_FORM,
    SYNTHESIS_RULES,
    check_template,
    fill,
)
from councils.engine.types import Ballot, ChatMessage, CouncilSpec, Stage

__all__ = ["DEFAULT_PROMPTS", "MEANINGS", "PLACEHOLDERS", "PreparedCall", "ballot_schema", "check_template", "parse_fences", "prepare"]

# A critique longer than this helps the chairman no more and can bury the answers.
CRITIQUE_CHARS = 300
REASON_CHARS = 400
HISTORY_CHARS = 8_000
REVIEW_TEMPERATURE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedCall:
    """All that a host needs to make one step's call.

    ``models`` are the keys to try in order. ``labels`` (label → answer, review only) are what ``read_ballot`` understands.
    ``temperature`` and ``max_tokens`` are ``None`` where the provider's own default holds.
    """

    key: str
    stage: Stage
    agent_id: str
    models: tuple[str, ...]
    messages: tuple[ChatMessage, ...]
    schema: Mapping[str, Any] | None = None
    schema_name: str = "answer"
    labels: Mapping[str, str] = field(default_factory=dict)
    temperature: float | None = None
    max_tokens: int | None = None


def prepare(spec: CouncilSpec, key: str, steps: Steps, *, question: str, history: tuple[ChatMessage, ...] = ()) -> PreparedCall:
    """The call of this step. Pure: the same spec, steps and question give the same call, so that a repeated attempt asks the same."""
    stage = stage_of(key)
    if stage is Stage.REVIEW:
        return _review(spec, key, steps, question, history)
    if stage is Stage.SYNTHESIS:
        return _synthesis(spec, key, steps, question, history)
    return _opinion(spec, key, steps, question, history)


def _opinion(spec: CouncilSpec, key: str, steps: Steps, question: str, history: Sequence[ChatMessage]) -> PreparedCall:
    seat = spec.seat(agent_of(key))
    text = fill(spec.prompts.opinion, {"question": question, "name": seat.name})
    if round_of(key) > 1:
        text = _extra_round_text(spec, key, steps, text)
    persona = (ChatMessage(role="system", content=seat.persona),) if seat.persona.strip() else ()
    return PreparedCall(
        key=key,
        stage=Stage.OPINIONS,
        agent_id=seat.agent_id,
        models=(seat.model, *seat.fallbacks),
        messages=(*persona, *_recent(history, spec.history_chars), ChatMessage(role="user", content=text)),
        temperature=seat.temperature,
        max_tokens=seat.max_tokens,
    )


def _recent(history: Sequence[ChatMessage], room: int) -> tuple[ChatMessage, ...]:
    """The newest turns that fit, whole, beginning with a question."""
    first = len(history)
    while first and room >= len(history[first - 1].content):
        first -= 1
        room -= len(history[first].content)
    while first < len(history) and history[first].role != "user":
        first += 1
    return tuple(history[first:])


def _extra_round_text(spec: CouncilSpec, key: str, steps: Steps, question: str) -> str:
    own = agent_of(key)
    others = [candidate for candidate in selection(spec, steps) if candidate != own]
    labels = make_labels(spec, key, others)
    paper = _Paper(spec, key, labels, steps)
    blocks = [Block("own", "", sanitise(answer_text(steps, own)))]
    return paper.render(EXTRA_ROUND, {"question": question}, {"own": blocks, "answers": paper.answers(), "critiques": paper.critiques(1)})


def _review(spec: CouncilSpec, key: str, steps: Steps, question: str, history: Sequence[ChatMessage]) -> PreparedCall:
    seat = spec.seat(agent_of(key))
    labels = make_labels(spec, key, display_order(spec, key, steps))
    paper = _Paper(spec, key, labels, steps)
    names = ", ".join(labels)
    form = fill(REVIEW_FORM, {"labels": names, "form": ballot_form(labels)})
    blocks = {"question": _question(spec, question, history), "answers": paper.answers()}
    return PreparedCall(
        key=key,
        stage=Stage.REVIEW,
        agent_id=seat.agent_id,
        models=(seat.model, *seat.fallbacks),
        # The rules stand before and after the answers: what was read last is followed best.
        messages=_messages(REVIEW_RULES, paper.render(spec.prompts.review, {"labels": names}, blocks), form),
        schema=ballot_schema(tuple(labels)),
        schema_name="ballot",
        labels=labels,
        temperature=None if seat.temperature is None else min(seat.temperature, REVIEW_TEMPERATURE),
        max_tokens=spec.review_max_tokens or seat.max_tokens,
    )


def _synthesis(spec: CouncilSpec, key: str, steps: Steps, question: str, history: Sequence[ChatMessage]) -> PreparedCall:
    labels = make_labels(spec, key, selection(spec, steps))
    paper = _Paper(spec, key, labels, steps)
    by_answer = {candidate: label for label, candidate in labels.items()}
    tally = final_tally(steps)
    blocks = {
        "question": _question(spec, question, history),
        "answers": paper.answers(),
        "critiques": paper.critiques(_last_round(tally, steps)),
    }
    text = paper.render(spec.prompts.synthesis, {"result": result_line(tally, by_answer)}, blocks)
    return PreparedCall(
        key=key,
        stage=Stage.SYNTHESIS,
        agent_id="",
        models=spec.chairman,
        messages=_messages(SYNTHESIS_RULES, text, fill(SYNTHESIS_FORM, {"task": chairman_task(spec, tally, by_answer)})),
        temperature=spec.chairman_temperature,
        max_tokens=spec.chairman_max_tokens,
    )


def _last_round(tally: object, steps: Steps) -> int:
    second = steps.get("tally:2")
    return 2 if second is not None and second.tally is tally else 1


def _messages(rules: str, text: str, form: str) -> tuple[ChatMessage, ...]:
    return ChatMessage(role="system", content=rules), ChatMessage(role="user", content=f"{text}\n\n{form}")


def _question(spec: CouncilSpec, question: str, history: Sequence[ChatMessage]) -> list[Block]:
    asked = Block("question", "", sanitise(question))
    if not history:
        return [asked]
    turns = "\n\n".join(_turn(spec, message) for message in history if message.role != "system")
    return [Block("conversation", "", sanitise(turns[-min(HISTORY_CHARS, spec.history_chars) :])), asked]


def _turn(spec: CouncilSpec, message: ChatMessage) -> str:
    # People may name whom they like; what a model wrote must not tell which one it is.
    content = judged_text(spec, message.content) if message.role == "assistant" else message.content
    return f"{message.role}: {content}"


@dataclass(frozen=True, slots=True)
class _Paper:
    """The material of one prompt, its answers named by the labels of this step."""

    spec: CouncilSpec
    key: str
    labels: Mapping[str, str]
    steps: Steps

    def answers(self) -> list[Block]:
        return [
            Block("answer", label, judged_text(self.spec, answer_text(self.steps, candidate))) for label, candidate in self.labels.items()
        ]

    def critiques(self, round_: int) -> list[Block]:
        lines = [line for ballot in ballots(self.spec, self.steps, round_) for line in self._critiques_of(ballot, round_)]
        return [Block("critiques", "", "\n".join(lines))] if lines else []

    def _critiques_of(self, ballot: Ballot, round_: int) -> list[str]:
        mine = {candidate: label for label, candidate in self.labels.items()}
        key = review_key(ballot.reviewer, round_)
        theirs = make_labels(self.spec, key, display_order(self.spec, key, self.steps))
        lines = []
        for verdict in ballot.verdicts:
            reason = " ".join(judged_text(self.spec, verdict.reasoning)[:CRITIQUE_CHARS].split())
            if reason and verdict.agent_id in mine:
                lines.append(f"On {mine[verdict.agent_id]}: {_relabel(reason, theirs, mine)}")
        return lines

    def render(self, template: str, values: Mapping[str, str], blocks: Mapping[str, Sequence[Block]]) -> str:
        texts = [block.text for some in blocks.values() for block in some]
        nonce = pick_nonce(self.spec.seed, self.key, [*texts, template, *values.values()])
        fenced = {name: "\n\n".join(self._fenced(block, nonce) for block in some) for name, some in blocks.items()}
        return fill(template, {**values, **fenced})

    def _fenced(self, block: Block, nonce: str) -> str:
        written_by = byline(self.spec, self.labels[block.label]) if block.label in self.labels else ""
        return written_by + fence(block, nonce)


def _relabel(reason: str, theirs: Mapping[str, str], mine: Mapping[str, str]) -> str:
    """A critique speaks of other answers by its own reviewer's labels: give them the reader's, or none."""
    pattern = rf"(?<!\w)(?:{'|'.join(map(re.escape, theirs))})(?!\w)"
    return re.sub(pattern, lambda found: mine.get(theirs[found[0]], "another answer"), reason)


def ballot_form(labels: Iterable[str]) -> str:
    # Every label in the order shown: a small model copies the form, and then none is missing or doubled.
    rows = ", ".join(f'{{"agent_id": "{label}", "reasoning": "...", "score": 1-10}}' for label in labels)
    return f'{{"rankings": [{rows}]}}'


def ballot_schema(labels: Sequence[str]) -> dict[str, Any]:
    """The JSON schema of a ballot over these labels. ``reasoning`` stands before ``score``: a reason given afterwards is an excuse."""
    verdict = {
        "type": "object",
        "additionalProperties": False,
        "required": ["agent_id", "reasoning", "score"],
        "properties": {
            "agent_id": {"type": "string", "enum": list(labels)},
            "reasoning": {"type": "string", "maxLength": REASON_CHARS},
            "score": {"type": "integer", "minimum": 1, "maximum": 10},
        },
    }
    rankings = {"type": "array", "minItems": len(labels), "maxItems": len(labels), "items": verdict}
    return {"type": "object", "additionalProperties": False, "required": ["rankings"], "properties": {"rankings": rankings}}
