"""Runs worth looking at: the usual one and those that strain a page. Used by screenshots and browser tests."""

from collections.abc import Mapping, Sequence
from typing import Any

from councils.engine.reasons import Reason, ReasonCode
from councils.engine.types import Mark, RunStatus, Stage, StepStatus
from councils.models import Conversation, CouncilConfiguration, CouncilRun, RunStep, User
from councils.models.base import new_public_id
from councils.tests.factories import RunPlan, finished_plan, make_council, make_run

ANSWER = """Charge **ten months' price for twelve months**, and print the saving in money rather than in percent.

1. *Why ten:* two free months is the offer that people repeat to each other; the council's estimates of churn put the break-even at 9.4.
2. *Why money:* "Save 48 USD" was understood at once by every reviewer; "17 %" had to be worked out.
3. *What to watch:* refunds in month two, and how many monthly customers switch in the first quarter.

> Do not grandfather old annual customers silently. Tell them, and give them the better price.

Start with new customers only, for six weeks, then decide with the numbers in hand."""

CHURN = (
    "Take **ten months** for the year. Monthly churn of 4 % means that the average customer stays 25 months, so a two-month discount "
    "pays for itself when it keeps one in nine from leaving in the first year.\n\n- break-even at 9.4 months\n- test for six weeks"
)
DOUBT = """I would not discount at all yet. You do not know *why* people leave. An annual plan hides the problem for a year.

Ask twenty leavers first. If you must, ten months."""
WISH = """As a customer I want to see **what I save in money**. "Two months free" is a thing I can tell my boss; a percentage is not."""
PRACTICE = "Billing once a year saves about 3 % in fees and many failed cards. Ten months is fine. Make refunds simple: pro rata."
OPINIONS = (CHURN, DOUBT, WISH, PRACTICE)
LONG_WORD = "Donaudampfschifffahrtsgesellschaftskapitaen"
ARABIC = "يجب أن يكون السعر السنوي مساوياً لعشرة أشهر. هذا عرض يفهمه الناس بسرعة ويكررونه لبعضهم البعض، **ولا يحتاج إلى شرح**."


def because(reason: Reason) -> dict[str, Any]:
    """The fields of a run that ended so."""
    return {"reason": str(reason), "reason_code": reason.code.value, "reason_facts": dict(reason.facts)}


def usual(owner: User, council: CouncilConfiguration, **fields: Any) -> CouncilRun:
    """A finished run of four members who disagree a little."""
    orders: Mapping[int, tuple[int, ...]] = {1: (3, 2, 4), 2: (1, 3, 4), 3: (1, 4, 2), 4: (1, 3, 2)}
    run = make_run(
        owner=owner,
        council=council,
        answer=ANSWER,
        plan=finished_plan(4, orders=orders),
        **because(Reason(ReasonCode.WRITTEN_FROM_BALLOTS, {"answers": 4, "counted": 4, "cast": 4})),
        consensus_score=0.33,
        **fields,
    )
    _give_texts(run, OPINIONS)
    return run


def contested(owner: User, council: CouncilConfiguration) -> CouncilRun:
    """Ballots that go round in a circle, one of them not valid."""
    done, invalid = StepStatus.DONE, StepStatus.INVALID
    plan = RunPlan(
        opinions=[done] * 4,
        reviews=[done, done, done, invalid],
        orders={1: (2, 3, 4), 2: (3, 4, 1), 3: (4, 1, 2)},
        counted=True,
        synthesis=done,
    )
    run = make_run(
        owner=owner, council=council, answer=ANSWER, plan=plan, status=RunStatus.PARTIAL, marks=[Mark.CONTESTED.value, Mark.DEGRADED.value]
    )
    _give_texts(run, OPINIONS)
    return run


def live(owner: User, council: CouncilConfiguration) -> CouncilRun:
    """Two members have answered, one writes, one is late."""
    plan = RunPlan(opinions=[StepStatus.DONE, StepStatus.RUNNING, StepStatus.DONE, StepStatus.LATE])
    run = make_run(owner=owner, council=council, status=RunStatus.RUNNING, plan=plan, next_seq=9)
    _give_texts(run, OPINIONS)
    return run


def reviewing(owner: User, council: CouncilConfiguration) -> CouncilRun:
    """All have answered, two ballots are in, one is not valid."""
    done = StepStatus.DONE
    plan = RunPlan(opinions=[done] * 4, reviews=[done, StepStatus.INVALID, StepStatus.RUNNING, done])
    run = make_run(owner=owner, council=council, status=RunStatus.RUNNING, plan=plan, next_seq=15)
    _give_texts(run, OPINIONS)
    return run


def synthesising(owner: User, council: CouncilConfiguration) -> CouncilRun:
    """The chairman is writing."""
    done = StepStatus.DONE
    plan = RunPlan(opinions=[done] * 4, reviews=[done] * 4, counted=True, synthesis=StepStatus.RUNNING)
    run = make_run(owner=owner, council=council, status=RunStatus.RUNNING, plan=plan, next_seq=21)
    _give_texts(run, OPINIONS)
    return run


def failed(owner: User, council: CouncilConfiguration) -> CouncilRun:
    """No member answered."""
    faults = (("Analyst", "timeout"), ("Skeptic", "authentication_failed"), ("Customer", "rate_limited"), ("Operator", "timeout"))
    why = because(Reason(ReasonCode.NO_ANSWER, {"members": faults}))
    return make_run(owner=owner, council=council, status=RunStatus.FAILED, plan=RunPlan(opinions=[StepStatus.FAILED] * 4), **why)


def cancelled(owner: User, council: CouncilConfiguration) -> CouncilRun:
    """Stopped while two members were writing."""
    plan = RunPlan(opinions=[StepStatus.DONE, StepStatus.CANCELLED, StepStatus.DONE, StepStatus.CANCELLED])
    run = make_run(owner=owner, council=council, status=RunStatus.CANCELLED, plan=plan, **because(Reason(ReasonCode.CANCELLED)))
    _give_texts(run, OPINIONS)
    return run


def extreme(owner: User) -> CouncilRun:
    """Nine members, 8,000 characters each, words of 40 letters, text from right to left, a question of many lines."""
    council = make_council(seats=9, name="The council of very many and very different opinions " + LONG_WORD)
    question = f"What does {LONG_WORD} mean for us?\n\n" + "It has to be said with all its circumstances. " * 30
    answer = (
        f"# {LONG_WORD}\n\n{LONG_WORD * 3}\n\n{ARABIC}\n\n" + ANSWER * 4 + "\n\n| a | b |\n|---|---|\n" + "| long cell text | 1 |\n" * 6
    )
    orders = {place: tuple(range(1 + place % 9, 10)) + tuple(range(1, 1 + place % 9)) for place in range(1, 10)}
    run = make_run(owner=owner, council=council, question=question, answer=answer, plan=finished_plan(9, orders=orders))
    texts = [(OPINIONS[place % 4] + "\n\n") * 30 for place in range(9)]
    _give_texts(run, [ARABIC, LONG_WORD * 5 + "\n\n```\n" + "x = 1; " * 60 + "\n```", *(text[:8000] for text in texts[2:])])
    return run


def troubled(owner: User) -> CouncilRun:
    """A live run in which each member has a trouble of its own: a substitute, ten tries, a failure, lateness. Personas long and short."""
    council = make_council(name="Council in trouble")
    for place, persona in enumerate(("You count.", "You doubt everything that is said here. " * 12, LONG_WORD * 4, ARABIC), start=1):
        council.members.filter(position=place).update(persona=persona)
    plan = RunPlan(opinions=[StepStatus.DONE, StepStatus.RUNNING, StepStatus.FAILED, StepStatus.LATE])
    run = make_run(owner=owner, council=council, status=RunStatus.RUNNING, plan=plan, next_seq=9)
    _give_texts(run, OPINIONS)
    steps = {step.key: step for step in run.steps.all()}
    _try_again(steps["opinion:agent_1"], tries=1, substitute="llama3.2:1b")
    _try_again(steps["opinion:agent_2"], tries=9, substitute="")
    steps["opinion:agent_3"].error_message = f"The provider has a fault of its own. It said: {LONG_WORD * 6}"
    steps["opinion:agent_3"].save()
    return run


def wordy(owner: User) -> CouncilRun:
    """Reviewers who give two hundred lines of reasons for one score, an answer with many headings, code, tasks and a wide table."""
    table = "| " + " | ".join(f"column {n}" for n in range(12)) + " |\n" + "|---" * 12 + "|\n" + ("| 1,234.56 " * 12 + "|\n") * 4
    code = "```python\ndef price(monthly: float) -> float:\n    # Two months are free.\n    return monthly * 10\n```"
    change = "```diff\n- price = 12\n+ price = 10\n```"
    sections = "".join(f"## {number}. What to do in the {number}th week\n\n{CHURN}\n\n{DOUBT}\n\n" for number in range(1, 9))
    tasks = "- [x] ask twenty leavers\n- [ ] print the saving in money"
    answer = f"{sections}# The numbers\n\n{table}\n\n# The code\n\n{code}\n\n{change}\n\n# Then\n\n{tasks}\n"
    run = make_run(owner=owner, council=make_council(name="Wordy council"), answer=answer)
    _give_texts(run, OPINIONS)
    review = run.steps.get(key="review:agent_2")
    for ranking in review.payload["ballot"]["verdicts"]:
        ranking["reasoning"] = "\n".join(f"{line}. It says what it means and why." for line in range(1, 201))
    review.save()
    return run


def _try_again(step: RunStep, *, tries: int, substitute: str) -> None:
    """Earlier attempts that failed, before the one that the step has."""
    last = step.calls.get()
    for attempt in range(1, tries + 1):
        last.pk, last.public_id, last.attempt = None, new_public_id(), attempt + 1
        last.substituted, last.model_name = bool(substitute), substitute or last.model_name
        last.save()
    step.calls.filter(attempt__lte=tries).update(
        status="refused", error_kind="rate_limited", error_detail="The provider asks us to slow down."
    )
    if substitute:
        RunStep.objects.filter(pk=step.pk).update(substituted=True, model_name=substitute)


def long_conversation(owner: User, council: CouncilConfiguration) -> Conversation:
    """Three questions, the last one still being answered."""
    first = usual(owner, council)
    for question, status in (
        ("And for teams of more than ten?", RunStatus.SUCCEEDED),
        ("How do we tell old customers?", RunStatus.RUNNING),
    ):
        make_run(owner=owner, council=council, question=question, status=status, conversation=first.conversation)
    return first.conversation


def many_conversations(owner: User, council: CouncilConfiguration) -> None:
    """A list with every state in it."""
    for maker in (usual, contested, live, failed, cancelled):
        maker(owner, council)


def _give_texts(run: CouncilRun, texts: Sequence[str]) -> None:
    steps = RunStep.objects.filter(run=run, stage=Stage.OPINIONS.value, status=StepStatus.DONE.value)
    for step in steps:
        step.text = texts[(int(step.agent_id.rpartition("_")[2]) - 1) % len(texts)]
        step.save(update_fields=["text"])
