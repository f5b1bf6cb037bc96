"""What cannot work in a council, said before it costs anything."""

import re
from collections import Counter
from collections.abc import Iterator
from math import isfinite

from councils.engine.errors import InvalidSpec
from councils.engine.panel import MIN_BALLOTS, MIN_SEEN
from councils.engine.templates import check_template
from councils.engine.types import CouncilSpec, Stage

_AGENT_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def validate(spec: CouncilSpec) -> None:
    """Raise ``InvalidSpec`` with a sentence for every thing that cannot work."""
    problems = spec_problems(spec)
    if problems:
        raise InvalidSpec(" ".join(problems))


def spec_problems(spec: CouncilSpec) -> list[str]:
    """Every thing that cannot work, one sentence each; empty for a council that can deliberate."""
    return [*_id_problems(spec), *_seat_problems(spec), *_number_problems(spec), *_review_problems(spec), *_prompt_problems(spec)]


def _id_problems(spec: CouncilSpec) -> Iterator[str]:
    for agent_id, times in Counter(seat.agent_id for seat in spec.seats).items():
        if times > 1:
            yield f"The agent id {agent_id} is given to {times} seats."
        if not _AGENT_ID.fullmatch(agent_id):
            yield f"The agent id {agent_id!r} may hold only letters, digits, dot, hyphen and underscore."


def _seat_problems(spec: CouncilSpec) -> Iterator[str]:
    for seat in spec.seats:
        if not (isfinite(seat.weight) and seat.weight > 0):
            yield f"The weight of {seat.name} must be above 0, not {seat.weight}."
        if not seat.model:
            yield f"{seat.name} has no model."
        if not (seat.answers or seat.reviews):
            yield f"{seat.name} neither answers nor reviews."


def _number_problems(spec: CouncilSpec) -> Iterator[str]:
    answering = len(spec.answering())
    if answering < max(spec.min_models, 1):
        yield f"The council needs at least {max(spec.min_models, 1)} answering seats and has {answering}."
    if not 1 <= spec.quorum <= max(answering, 1):
        yield f"The quorum is {spec.quorum}, but it must be from 1 to the number of answering seats, {answering}."
    if not any(spec.chairman):
        yield "The council has no chairman."
    if spec.top_k < 1:
        yield f"The chairman must see at least 1 answer, not {spec.top_k}."
    if min(spec.stage_deadline_s, spec.run_deadline_s) <= 0 or spec.soft_deadline_min_s < 0:
        yield "Deadlines must be above 0 seconds."


def _review_problems(spec: CouncilSpec) -> Iterator[str]:
    if not spec.enable_peer_review:
        return
    answering = len(spec.answering())
    if len(spec.reviewing()) < MIN_BALLOTS:
        yield f"A review needs at least {MIN_BALLOTS} reviewers, and the council has {len(spec.reviewing())}."
    short = [seat.name for seat in spec.reviewing() if answering - seat.answers < MIN_SEEN]
    if short:
        remedy = "add seats or switch the review off"
        yield f"A reviewer must see at least {MIN_SEEN} answers by others, which is not so for {', '.join(short)}: {remedy}."


def _prompt_problems(spec: CouncilSpec) -> Iterator[str]:
    yield from check_template(Stage.OPINIONS, spec.prompts.opinion)
    yield from check_template(Stage.REVIEW, spec.prompts.review)
    yield from check_template(Stage.SYNTHESIS, spec.prompts.synthesis)
