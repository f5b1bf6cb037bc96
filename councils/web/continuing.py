"""Going on from an ended run: what is offered with what it keeps and costs, and the buttons that do it."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from councils.engine.carrying import Carried
from councils.engine.steps import SYNTHESIS, agent_of
from councils.engine.types import ChairmanMode, StepStatus
from councils.formatting import usd
from councils.models import CouncilRun, ModelCall
from councils.services.errors import Rejected
from councils.services.repeating import ask_again, choices_for, regenerate_answer, retry_run
from councils.services.starting import fingerprint
from councils.web.limits import signed_in
from councils.web.throttling import start_refused

WAYS: Mapping[str, Callable[..., tuple[CouncilRun, bool]]] = {"retry": retry_run, "regenerate": regenerate_answer, "again": ask_again}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One way to go on. ``says`` are the sentences that stand beside the button: what is kept, what is asked and paid again."""

    way: str
    button: str
    says: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """All ways to go on, best first. ``nonce`` is new with every page that is shown: sent twice, a button starts one run."""

    ways: Sequence[Offer]
    nonce: str

    @classmethod
    def of(cls, run: CouncilRun, *, veiled: bool = False) -> "Offers":
        """For a run that was loaded ``with_details()``. ``veiled`` leaves out names: who failed would tell who did not."""
        choices = choices_for(run)
        ways = []
        # Where nothing can be kept, trying again is asking again.
        if choices.retry is not None and choices.retry.steps:
            says = [*_kept(run, choices.retry), *_asked(choices.retry, veiled=veiled), *_cost(run, choices.retry)]
            ways.append(Offer(way="retry", button=_("Retry what failed"), says=says))
        if choices.regenerate is not None:
            says = [_rewritten(choices.regenerate), *_cost(run, choices.regenerate)]
            ways.append(Offer(way="regenerate", button=_("Write the answer anew"), says=says))
        if choices.again:
            ways.append(Offer(way="again", button=_("Ask again from the start"), says=_anew(run, veiled=veiled)))
        return cls(ways=ways, nonce=uuid.uuid4().hex)


def _rewritten(carried: Carried) -> str:
    if any(key.startswith("review:") and step.status is StepStatus.DONE for key, step in carried.steps.items()):
        return _("All opinions and ballots are kept. Only the chairman is asked again.")
    return _("All opinions are kept, and there are no ballots. Only the chairman is asked again.")


def _kept(run: CouncilRun, carried: Carried) -> list[str]:
    opinions = sum(key.startswith("opinion:") for key in carried.steps)
    ballots = sum(key.startswith("review:") for key in carried.steps)
    kept = [ngettext("%(n)d answer is kept and not paid again.", "%(n)d answers are kept and not paid again.", opinions) % {"n": opinions}]
    if ballots:
        kept.append(ngettext("%(n)d ballot is kept too.", "%(n)d ballots are kept too.", ballots) % {"n": ballots})
    if any(step.status == StepStatus.LATE_DONE.value and step.key in carried.steps for step in run.steps.all()):
        kept.append(_("What came too late for this try counts in the next one."))
    return kept


def _asked(carried: Carried, *, veiled: bool) -> list[str]:
    if carried.asks == (SYNTHESIS,):
        return [_("Only the chairman is asked again.")]
    by_vote = carried.spec.chairman_mode is ChairmanMode.SELECT_BEST
    end = _("Then the votes are counted.") if by_vote else _("Then the votes are counted, and the chairman writes anew.")
    if not carried.asks:
        return [end]
    who = [carried.spec.seat(agent_of(key)).name for key in carried.asks]
    if any(key.startswith("review:") for key in carried.asks):
        return [_ballots(carried, who, veiled=veiled), end]
    after = _("Then everybody reviews anew, and the chairman writes anew.")
    if by_vote or not carried.reviews_anew:
        after = _("Then everybody reviews anew.") if by_vote else _("Then the chairman writes anew.")
    return [_members(who, veiled=veiled), after]


def _members(who: Sequence[str], *, veiled: bool) -> str:
    if veiled:
        return ngettext("%(n)d member is asked again.", "%(n)d members are asked again.", len(who)) % {"n": len(who)}
    return ngettext("%(names)s is asked again.", "%(names)s are asked again.", len(who)) % {"names": ", ".join(who)}


def _ballots(carried: Carried, who: Sequence[str], *, veiled: bool) -> str:
    if not any(key.startswith("review:") for key in carried.steps):
        return _("Everybody reviews anew.")
    if veiled:
        return ngettext("%(n)d member is asked for its ballot again.", "%(n)d members are asked for their ballots again.", len(who)) % {
            "n": len(who)
        }
    asked = ngettext("%(names)s is asked for its ballot again.", "%(names)s are asked for their ballots again.", len(who))
    return asked % {"names": ", ".join(who)}


def _from_the_start(run: CouncilRun) -> str:
    if run.member_name:
        return _("%(name)s answers once more, and that costs once more.") % {"name": run.member_name}
    return _("All members of %(council)s answer once more, and that costs once more.") % {"council": run.council_name}


def _anew(run: CouncilRun, *, veiled: bool) -> list[str]:
    says = [_from_the_start(run), *_whole_cost(run)]
    # How quickly an answer came already tells something; behind the veil nothing more is said.
    if not veiled and any(call.cached for step in run.steps.all() for call in step.calls.all()):
        says.append(_("Nothing is then taken from the cache: all answers are new."))
    return says


def _cost(run: CouncilRun, carried: Carried) -> list[str]:
    """What the work that is done anew has cost in this run, where that is known."""
    calls = [call for step in run.steps.all() if step.key not in carried.steps for call in step.calls.all()]
    amount = _known(calls)
    return [_("The same work has cost %(amount)s in this try.") % {"amount": usd(amount)}] if amount else []


def _whole_cost(run: CouncilRun) -> list[str]:
    # A run that has kept steps of another one says nothing of what everything costs.
    whole = not any(step.carried for step in run.steps.all())
    return [_("This try has cost %(amount)s.") % {"amount": usd(run.cost_usd)}] if whole and run.cost_usd else []


def _known(calls: Sequence[ModelCall]) -> Decimal | None:
    costs = [call.cost_usd for call in calls]
    known = [cost for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if len(known) == len(costs) else None


@login_required
@require_POST
def go_on(request: HttpRequest, public_id: str, way: str) -> HttpResponse:
    """Go on from a run and show the new one. A refusal is told on the page of the old one."""
    user = signed_in(request)
    runs = CouncilRun.objects.visible_to(user).select_related("conversation", "message", "council")
    earlier = get_object_or_404(runs, public_id=public_id)
    # Without a nonce, as from a script of somebody's own, one way leads to one run.
    key = f"web:{fingerprint(way, public_id, request.POST.get('nonce', '') or 'once')}"
    if (refused := start_refused(request)) and not CouncilRun.objects.was_sent(user, key):
        messages.error(request, refused)
        return redirect("run", public_id=public_id)
    try:
        newer, _created = WAYS[way](by=user, run=earlier, idempotency_key=key)
    except Rejected as error:
        messages.error(request, error.message)
        return redirect("run", public_id=public_id)
    return redirect("run", public_id=newer.public_id)
