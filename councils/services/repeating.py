"""Going on with a question: retrying what failed, having the answer written anew, asking again from the start.

Each is a new run on the same message, so that both answers are kept, and each keeps of the earlier run what need not be paid again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from councils.engine.carrying import Carried, Course, Steps, for_regenerate, for_retry
from councils.engine.deliberation import validate
from councils.engine.errors import InvalidSpec
from councils.engine.types import CouncilSpec, RunStatus
from councils.models import CouncilConfiguration, CouncilRun, RunOrigin
from councils.models.base import new_public_id
from councils.runner.work import step_state
from councils.services.asking import priced, snapshot_to_ask
from councils.services.budgeting import payment_for
from councils.services.caching import with_cache
from councils.services.errors import ConversationBusy, CouncilUnavailable, ModelsGone, NotRepeatable
from councils.services.renewing import GoneModels, renewed
from councils.services.starting import Asker, earlier_run, fingerprint, occupy, start_once, who, with_keys
from councils.services.veiling import veil_of
from councils.snapshot import Snapshot, UnreadableSnapshot
from councils.store.runs import NewRun, create_run

HAS_ANSWER = frozenset({RunStatus.SUCCEEDED.value, RunStatus.PARTIAL.value})

Plan = Callable[[CouncilSpec, Steps], Carried | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What can be done with an ended run. What is ``None`` cannot; ``again`` says whether its council can be asked at all."""

    retry: Carried | None
    regenerate: Carried | None
    again: bool

    def __bool__(self) -> bool:
        return self.again


def choices_for(run: CouncilRun) -> Choices:
    """What to offer below a run that was loaded ``with_details()``. Whether its models still work only shows when it is chosen."""
    if run.trial or run.is_live or run.council is None or not run.council.can_be_asked:
        return Choices(retry=None, regenerate=None, again=False)
    return Choices(retry=_carried(run, Course.RETRY), regenerate=_carried(run, Course.SYNTHESIS), again=True)


def retry_run(
    *, by: Asker, run: CouncilRun, origin: RunOrigin = RunOrigin.WEB, idempotency_key: str | None = None
) -> tuple[CouncilRun, bool]:
    """Ask only for what failed or is missing in this run; what went well is kept and not paid again.

    Returns the new run, and whether it is new. It goes by the earlier run's seats, prompts and rules, and by today's addresses, keys and
    prices. Raises ``NotRepeatable`` where nothing is missing, ``ModelsGone``, and what ``ask_council`` raises.
    """
    return _go_on(Course.RETRY, by=by, run=run, origin=origin, key=idempotency_key)


def regenerate_answer(
    *, by: Asker, run: CouncilRun, origin: RunOrigin = RunOrigin.WEB, idempotency_key: str | None = None
) -> tuple[CouncilRun, bool]:
    """Have the chairman write the answer anew from the same opinions and ballots. Returns and raises as ``retry_run`` does.

    ``NotRepeatable`` where more or less than the chairman's part would be needed, as where the answer was chosen by vote.
    """
    return _go_on(Course.SYNTHESIS, by=by, run=run, origin=origin, key=idempotency_key)


def ask_again(
    *, by: Asker, run: CouncilRun, origin: RunOrigin = RunOrigin.WEB, idempotency_key: str | None = None
) -> tuple[CouncilRun, bool]:
    """Put the question to the council, or to the member that was asked, from the start, as it sits today: all is paid anew.

    Returns the new run, and whether it is new. Raises what ``ask_council`` raises.
    """
    return _go_on(Course.MEMBER if run.member else Course.FULL, by=by, run=run, origin=origin, key=idempotency_key)


def _go_on(course: Course, *, by: Asker, run: CouncilRun, origin: RunOrigin, key: str | None) -> tuple[CouncilRun, bool]:
    user, api_key = who(by)
    request_hash = fingerprint(course.value, run.public_id)
    if earlier := earlier_run(user, key, request_hash):
        return earlier, False
    if run.trial:
        raise NotRepeatable(_("It was a trial. Try the draft again."))
    if run.is_live:
        raise ConversationBusy
    council = _council(run)
    run_id = new_public_id()
    carried, snapshot = _plan(run, council, course, run_id)
    blind = _is_blind(run, carried)
    # Whoever asks again wants other answers.
    snapshot = with_cache(snapshot, council, question=run.message.text, fresh=True, blind=blind)
    kept = frozenset(carried.steps) if carried else frozenset()
    payment = payment_for(snapshot, run.message.text, by=user, council=council, api_key=api_key, conversation=run.conversation, kept=kept)

    def make() -> CouncilRun:
        occupy(run.conversation, by=user)
        reachable, keys = with_keys(snapshot)
        return create_run(
            NewRun(
                message=run.message,
                owner=user,
                council=council,
                course=course,
                based_on=run,
                member=run.member,
                member_name=snapshot.spec.seat(run.member).name if run.member else "",
                carried={step.key: step.status for step in carried.steps.values()} if carried else {},
                origin=origin,
                api_key=api_key,
                public_id=run_id,
                config_snapshot=reachable.to_json(),
                sealed_keys=keys,
                blind=blind,
                idempotency_key=key or None,
                request_hash=request_hash,
            )
        )

    return start_once(make, by=user, key=key, request_hash=request_hash, payment=payment)


def _council(run: CouncilRun) -> CouncilConfiguration:
    if run.council is None:
        raise CouncilUnavailable(_("It is gone. Ask another one."))
    if not run.council.can_be_asked:
        raise CouncilUnavailable(_("It is switched off."))
    return run.council


def _plan(run: CouncilRun, council: CouncilConfiguration, course: Course, run_id: str) -> tuple[Carried | None, Snapshot]:
    """What is kept, and the configuration by which the new run goes."""
    if course not in _PLANS:
        return None, snapshot_to_ask(council, member=run.member, seed=run_id)
    carried = _carried(run, course)
    if carried is None:
        raise NotRepeatable(_refusal(course, run))
    try:
        snapshot = renewed(Snapshot.from_json(run.config_snapshot), carried)
        validate(snapshot.spec)
    except GoneModels as gone:
        raise ModelsGone(_who_is_gone(run, gone)) from gone
    except InvalidSpec as error:
        raise ModelsGone("" if veil_of(run) else error.detail) from error
    return carried, priced(snapshot)


def _who_is_gone(run: CouncilRun, gone: GoneModels) -> str:
    """By name, or behind a veil only how many: who cannot answer would tell who did."""
    many = len(gone.names)
    if veil_of(run):
        return ngettext("%(n)d of them is switched off or gone.", "%(n)d of them are switched off or gone.", many) % {"n": many}
    return _("Switched off or gone: %(names)s.") % {"names": ", ".join(gone.names)}


_PLANS: dict[Course, Plan] = {Course.RETRY: for_retry, Course.SYNTHESIS: for_regenerate}


def _carried(run: CouncilRun, course: Course) -> Carried | None:
    """What a later try keeps of this ended run; ``None`` where there is nothing to try, or another version recorded the run."""
    if course is Course.SYNTHESIS and run.status not in HAS_ANSWER:
        return None
    try:
        spec = Snapshot.from_json(run.config_snapshot).spec
    except UnreadableSnapshot:
        return None
    return _PLANS[course](spec, {step.key: step_state(step) for step in run.steps.all()})


def _refusal(course: Course, run: CouncilRun) -> str:
    if course is Course.RETRY and run.status == RunStatus.SUCCEEDED.value:
        return _("Nothing failed in it. Have the answer written anew, or ask again from the start.")
    if course is Course.RETRY:
        return _("Another version of this software recorded it. Ask again from the start.")
    return _("A new wording needs an answer that the chairman wrote from at least two opinions. Ask again from the start.")


def _is_blind(run: CouncilRun, carried: Carried | None) -> bool:
    """A question that was asked blind stays so, unless its reader knows already who wrote the answers that are kept."""
    return run.blind and not (carried and carried.steps and veil_of(run) is None)
