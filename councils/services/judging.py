"""What readers say of answers: thumbs with a reason, and the best one of a blind run."""

from django.db import transaction

from councils.models import AnswerPick, CouncilRun, Feedback, Message, PickOutcome, Thumb, User
from councils.models.judgement import REASON_LENGTH
from councils.services.errors import AnswersNotIn, InvalidText, NamesAreShown, NothingToJudge, ReasonTooLong, UnknownAnswer
from councils.services.veiling import ENOUGH_TO_COMPARE, answers_are_in, veil_of, whole_answers


def give_feedback(*, run: CouncilRun, by: User, verdict: Thumb, reason: str = "") -> Feedback:
    """Say whether the final answer is any good. Said again, it replaces what this reader said before.

    Raises ``NothingToJudge`` where there is no answer, ``ReasonTooLong`` or ``InvalidText``. ``run`` must be visible to ``by``.
    """
    # Browsers send line ends as CR LF, and count them as one character.
    reason = reason.replace("\r\n", "\n").strip()
    if "\x00" in reason or any("\ud800" <= char <= "\udfff" for char in reason):
        raise InvalidText
    if len(reason) > REASON_LENGTH:
        raise ReasonTooLong
    # Whoever tries a draft is no reader: what they say of it would count for the council.
    if not run.answer or run.trial:
        raise NothingToJudge
    feedback, _created = Feedback.objects.update_or_create(run=run, by=by, defaults={"verdict": verdict, "reason": reason})
    return feedback


def take_back_feedback(*, run: CouncilRun, by: User) -> None:
    """Forget what this reader said of the answer. Taking back what was never said changes nothing."""
    Feedback.objects.filter(run=run, by=by).delete()


@transaction.atomic
def pick_answer(*, run: CouncilRun, by: User, outcome: PickOutcome, answer: str = "") -> AnswerPick:
    """Judge the answers of a blind run, which shows its names from then on. The first judgement stands: any later one returns it.

    ``answer`` is the alias of the one picked (see ``Veil.alias``), empty for the other outcomes. ``SKIPPED`` is possible at any time.
    Raises ``NamesAreShown`` where there is nothing to be blind to, or no longer, ``AnswersNotIn`` or ``UnknownAnswer``.
    """
    # Tries of one question may share answers: whoever judges one of them is the first in all.
    Message.objects.select_for_update(no_key=True).get(pk=run.message_id)
    if pick := AnswerPick.objects.filter(run=run).first():
        return pick
    veil = veil_of(run)
    if veil is None:
        raise NamesAreShown
    steps = list(run.steps.all())
    shown = veil.shown(whole_answers(steps))
    candidate = ""
    if outcome is not PickOutcome.SKIPPED and (len(shown) < ENOUGH_TO_COMPARE or not answers_are_in(run, steps)):
        raise AnswersNotIn
    if outcome is PickOutcome.PICKED:
        candidate = next((each for each in shown if veil.alias(each) == answer), "")
        if not candidate:
            raise UnknownAnswer
    facts = {"by": by, "outcome": outcome, "candidate": candidate, "shown": shown}
    return AnswerPick.objects.create(run=run, **facts)
