"""What a later try of a question may keep of an earlier one: the steps that need not be paid for again.

A later try runs by the earlier one's rules (spec and seed), so that ballots and labels keep their meaning. What it keeps stands in its
steps before its first action, and ``next_actions`` begins no step that exists.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from councils.engine.actions import CountVotes, Finish, StartCall
from councils.engine.deliberation import next_actions
from councils.engine.steps import LAST_ROUND, SYNTHESIS, StepState, agent_of, round_of, tally_key
from councils.engine.types import CouncilSpec, StepStatus

Steps = Mapping[str, StepState]

_THERE = (StepStatus.DONE, StepStatus.LATE_DONE)


class Course(StrEnum):
    """What a run does of a deliberation."""

    FULL = "full"  # everything
    RETRY = "retry"  # only what failed in an earlier run
    SYNTHESIS = "synthesis"  # only the chairman's part
    MEMBER = "member"  # one seat answers instead of the council


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What a later try begins with: its spec, its steps, and the keys of its first calls (none where ballots only need counting)."""

    spec: CouncilSpec
    steps: Steps
    asks: tuple[str, ...]

    @property
    def reviews_anew(self) -> bool:
        """Whether a whole review may follow: of answers that are still to come, or that came too late for the one there was."""
        return self.spec.enable_peer_review and any(key.startswith("opinion:") for key in self.asks)

    @property
    def seats(self) -> frozenset[str]:
        """The agents that may still be asked for something, so that their models must work."""
        asked = {agent_of(key) for key in self.asks} - {""}
        if self.spec.extra_round and SYNTHESIS not in self.asks:
            return frozenset(seat.agent_id for seat in self.spec.seats)
        return frozenset(asked | {seat.agent_id for seat in self.spec.reviewing() if self.reviews_anew})


def for_retry(spec: CouncilSpec, steps: Steps) -> Carried | None:
    """Keep all that went well, phase by phase, up to the first phase in which something is missing; ``None`` where nothing is.

    Of that phase the finished steps are kept, of later ones nothing: ballots only mean something for the very answers that were
    judged. An answer that came too late is there now, so it counts; the ballots that were cast without it do not.

    The later try is ``patient``: by the times of the kept answers, a seat that was late would be late again, and be paid again.
    """
    settled = _without_new_round(spec, steps)
    kept: dict[str, StepState] = {}
    while wanted := _wanted(settled, kept):
        there = {key: steps[key] for key in wanted if key in steps and steps[key].status in _THERE}
        kept |= {key: replace(step, status=StepStatus.DONE) for key, step in there.items()}
        if len(there) < len(wanted) or any(step.status is not StepStatus.DONE for step in there.values()):
            break
    return _carried(replace(settled if tally_key() in kept else spec, patient=True), kept)


def for_regenerate(spec: CouncilSpec, steps: Steps) -> Carried | None:
    """Keep everything as it is, failures too, but the chairman's part; ``None`` where more or less than that part would be asked for."""
    kept = {key: step for key, step in steps.items() if key != SYNTHESIS and step.status is not StepStatus.RUNNING}
    carried = _carried(_without_new_round(spec, steps), kept)
    return carried if carried is not None and carried.asks == (SYNTHESIS,) else None


def _wanted(spec: CouncilSpec, kept: Steps) -> list[str]:
    """What the council does next when it has this: keys of steps to begin."""
    return [action.key for action in next_actions(spec, kept, elapsed_s=0.0) if isinstance(action, StartCall | CountVotes)]


def _without_new_round(spec: CouncilSpec, steps: Steps) -> CouncilSpec:
    """The spec without an extra round where the earlier run has gone past it without one: that was decided, not missed."""
    has_passed = SYNTHESIS in steps and not any(round_of(key) == LAST_ROUND for key in steps)
    return replace(spec, extra_round=False) if has_passed else spec


def _carried(spec: CouncilSpec, kept: Steps) -> Carried | None:
    actions = next_actions(spec, kept, elapsed_s=0.0)
    if isinstance(actions[0], Finish):
        return None
    return Carried(spec=spec, steps=kept, asks=tuple(action.key for action in actions if isinstance(action, StartCall)))
