"""What cannot work in a council, said before it costs anything."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from councils.engine.errors import InvalidSpec
from councils.engine.panel import MIN_BALLOTS, MIN_SEEN
from councils.engine.templates import check_template
from councils.engine.types import CouncilSpec, Stage

_AGENT_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Fault:
    """A thing that cannot work. ``about`` is what to look at: a field of ``CouncilSpec``, or ``prompts.`` with a stage."""

    about: str
    sentence: str


def validate(spec: CouncilSpec) -> None:
    """Raise ``InvalidSpec`` with a sentence for every thing that cannot work."""
    problems = spec_problems(spec)
    if problems:
        raise InvalidSpec(" ".join(problems))


def spec_problems(spec: CouncilSpec) -> list[str]:
    """Every thing that cannot work, one sentence each; empty for a council that can deliberate."""
    return [fault.sentence for fault in spec_faults(spec)]


def spec_faults(spec: CouncilSpec) -> list[Fault]:
    """The same with what each is about, for forms that say it beside the field."""
    return [*_id_faults(spec), *_seat_faults(spec), *_number_faults(spec), *_review_faults(spec), *_prompt_faults(spec)]


def is_single(spec: CouncilSpec) -> bool:
    """Whether one seat answers alone: then there is nothing to review and nothing for a chairman to write."""
    return len(spec.answering()) == 1 and not spec.enable_peer_review


def _id_faults(spec: CouncilSpec) -> Iterator[Fault]:
    for agent_id, times in Counter(seat.agent_id for seat in spec.seats).items():
        if times > 1:
            yield Fault("seats", f"The agent id {agent_id} is given to {times} seats.")
        if not _AGENT_ID.fullmatch(agent_id):
            yield Fault("seats", f"The agent id {agent_id!r} may hold only letters, digits, dot, hyphen and underscore.")


def _seat_faults(spec: CouncilSpec) -> Iterator[Fault]:
    for seat in spec.seats:
        if not (isfinite(seat.weight) and seat.weight > 0):
            yield Fault("seats", f"The weight of {seat.name} must be above 0, not {seat.weight}.")
        if not seat.model:
            yield Fault("seats", f"{seat.name} has no model.")
        if not (seat.answers or seat.reviews):
            yield Fault("seats", f"{seat.name} neither answers nor reviews.")


def _number_faults(spec: CouncilSpec) -> Iterator[Fault]:
    answering = len(spec.answering())
    if answering < max(spec.min_models, 1):
        yield Fault("min_models", f"The council needs at least {max(spec.min_models, 1)} answering seats and has {answering}.")
    if not 1 <= spec.quorum <= max(answering, 1):
        yield Fault("quorum", f"The quorum is {spec.quorum}, but it must be from 1 to the number of answering seats, {answering}.")
    if not any(spec.chairman) and not is_single(spec):
        yield Fault("chairman", "The council has no chairman.")
    if spec.top_k < 1:
        yield Fault("top_k", f"The chairman must see at least 1 answer, not {spec.top_k}.")
    if min(spec.stage_deadline_s, spec.run_deadline_s) <= 0 or spec.soft_deadline_min_s < 0:
        yield Fault("run_deadline_s", "Deadlines must be above 0 seconds.")


def _review_faults(spec: CouncilSpec) -> Iterator[Fault]:
    if not spec.enable_peer_review:
        return
    answering = len(spec.answering())
    if len(spec.reviewing()) < MIN_BALLOTS:
        yield Fault("enable_peer_review", f"A review needs at least {MIN_BALLOTS} reviewers, and the council has {len(spec.reviewing())}.")
    short = [seat.name for seat in spec.reviewing() if answering - seat.answers < MIN_SEEN]
    if short:
        remedy = f"which is not so for {', '.join(short)}: add seats or switch the review off."
        yield Fault("enable_peer_review", f"A reviewer must see at least {MIN_SEEN} answers by others, {remedy}")


def _prompt_faults(spec: CouncilSpec) -> Iterator[Fault]:
    texts = {Stage.OPINIONS: spec.prompts.opinion, Stage.REVIEW: spec.prompts.review, Stage.SYNTHESIS: spec.prompts.synthesis}
    for stage, text in texts.items():
        yield from (Fault(f"prompts.{stage.value}", sentence) for sentence in check_template(stage, text))
