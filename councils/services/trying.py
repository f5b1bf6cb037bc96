"""Trying a council: questions to a draft of it, to the council as it is published, or to both, seen by staff only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from councils.engine.deliberation import validate
from councils.engine.errors import InvalidSpec
from councils.models import (
    Conversation,
    CouncilConfiguration,
    CouncilDraft,
    CouncilRun,
    Message,
    MessageRole,
    RunOrigin,
    Side,
    Trial,
    TrialRun,
    User,
)
from councils.models.base import new_public_id
from councils.services.asking import cancel_run, clean_question, priced
from councils.services.budgeting import Payment, payment_for
from councils.services.drafting import propose
from councils.services.errors import CouncilUnavailable, EmptyQuestion, TooManyQuestions
from councils.services.estimating import Estimate, Matter, estimate_run, past_of
from councils.services.starting import fingerprint, start_once, with_keys
from councils.services.titles import make_title
from councils.snapshot import Snapshot, take_snapshot
from councils.store.runs import NewRun, create_run

MOST_QUESTIONS = 20
"""A trial is looked at by people; more than that is an evaluation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be asked of whom. ``draft`` is ``None`` where only the published version is tried."""

    council: CouncilConfiguration
    draft: CouncilDraft | None
    questions: Sequence[str]
    compare: bool = True

    @property
    def sides(self) -> list[Side]:
        if self.draft is None:
            return [Side.PUBLISHED]
        return [Side.DRAFT, Side.PUBLISHED] if self.compare else [Side.DRAFT]

    def snapshot(self, side: Side) -> Snapshot:
        """One side, frozen. A council that is switched off can be tried all the same.

        Raises ``CouncilUnavailable`` where it cannot deliberate, ``ConfigurationRejected`` where the draft does not fit any more.
        """
        if side is Side.DRAFT and self.draft is not None:
            snapshot = propose(self.council, self.draft.document).snapshot
        else:
            snapshot = take_snapshot(CouncilConfiguration.objects.with_details().get(pk=self.council.pk), seed="")
        try:
            validate(snapshot.spec)
        except InvalidSpec as error:
            raise CouncilUnavailable(f"{side.label}: {error.detail}") from error
        return priced(snapshot)


def plan_trial(*, council: CouncilConfiguration, draft: CouncilDraft | None, questions: Sequence[str], compare: bool) -> Plan:
    """A plan with clean questions. Raises ``EmptyQuestion``, ``QuestionTooLong``, ``InvalidText`` or ``TooManyQuestions``."""
    cleaned = [clean_question(question) for question in questions]
    if not cleaned:
        raise EmptyQuestion
    if len(cleaned) > MOST_QUESTIONS:
        raise TooManyQuestions(_("It has %(n)d questions; %(most)d are allowed.") % {"n": len(cleaned), "most": MOST_QUESTIONS})
    return Plan(council=council, draft=draft, questions=cleaned, compare=compare)


def estimate_trial(plan: Plan) -> dict[Side, Estimate]:
    """What each side will cost for all questions. Raises as ``Plan.snapshot`` does."""
    past = past_of(plan.council.pk)
    found = {}
    for side in plan.sides:
        snapshot = plan.snapshot(side)
        parts = [estimate_run(snapshot, Matter(question=question, past=past)) for question in plan.questions]
        low, expected, high = (_total([getattr(part, name) for part in parts]) for name in ("low", "expected", "high"))
        found[side] = Estimate(low=low, expected=expected, high=high)
    return found


def _total(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


def start_trial(plan: Plan, *, by: User, nonce: str = "") -> Trial:
    """Start every run of the plan, or none. They are paid like any other, by ``by`` and from the council's budgets.

    The two sides of a question have the same seed, so that labels and ties fall alike. Nothing comes from the cache or goes there: both
    sides shall show what they take. The same plan with the same ``nonce`` is started once: whoever sends it again gets that trial.
    Raises ``BudgetExceeded`` and what ``Plan.snapshot`` raises.
    """
    if nonce == "":
        return _start_all(plan, by=by, deed=None)
    deed = _deed(plan, nonce)
    earlier = Trial.objects.filter(by=by, deed=deed)
    if (trial := earlier.first()) is not None:
        return trial
    try:
        return _start_all(plan, by=by, deed=deed)
    except IntegrityError:
        # Two at the same moment: the unique key in the database is the judge.
        if (trial := earlier.first()) is not None:
            return trial
        raise


def _deed(plan: Plan, nonce: str) -> str:
    draft = plan.draft
    version = "" if draft is None else f"{draft.pk} {draft.updated_at.isoformat()}"
    return fingerprint(nonce, str(plan.council.pk), version, *plan.sides, *plan.questions)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """One run that will be started, and what is held for it."""

    side: Side
    place: int
    question: str
    snapshot: Snapshot
    payment: Payment


def _starts(plan: Plan, *, by: User) -> list[_Start]:
    """What it takes to start all of a plan, found out before the transaction that starts it: accounts of budgets are opened here."""
    snapshots = {side: plan.snapshot(side) for side in plan.sides}
    found = []
    for place, question in enumerate(plan.questions):
        seed = new_public_id()
        for side in plan.sides:
            snapshot = replace(snapshots[side], spec=replace(snapshots[side].spec, seed=seed))
            payment = payment_for(snapshot, question, by=by, council=plan.council)
            found.append(_Start(side=side, place=place, question=question, snapshot=snapshot, payment=payment))
    return found


def _start_all(plan: Plan, *, by: User, deed: str | None) -> Trial:
    starts, draft = _starts(plan, by=by), plan.draft
    with transaction.atomic():
        trial = Trial.objects.create(council=plan.council, draft=draft, draft_name=draft.name if draft else "", by=by, deed=deed)
        for one in starts:
            run = _start(plan.council, one, by=by)
            TrialRun.objects.create(trial=trial, run=run, side=one.side, place=one.place)
    return trial


def _start(council: CouncilConfiguration, one: _Start, *, by: User) -> CouncilRun:
    def make() -> CouncilRun:
        reachable, keys = with_keys(one.snapshot)
        thread = Conversation.objects.create(owner=by, council=council, title=make_title(one.question), trial=True)
        return create_run(
            NewRun(
                message=Message.objects.create(conversation=thread, role=MessageRole.USER, text=one.question),
                owner=by,
                council=council,
                origin=RunOrigin.WEB,
                public_id=new_public_id(),
                config_snapshot=reachable.to_json(),
                sealed_keys=keys,
                trial=True,
            )
        )

    return start_once(make, by=by, key=None, request_hash="", payment=one.payment)[0]


def cancel_trial(trial: Trial, *, by: User) -> int:
    """Stop all its runs that still go on; how many those were."""
    return sum(cancel_run(run=run, by=by) for run in _live(trial))


def _live(trial: Trial) -> Iterator[CouncilRun]:
    return CouncilRun.objects.live().filter(tried_in__trial=trial).order_by("pk").iterator()
