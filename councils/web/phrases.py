"""What records say in codes and in English, said in the reader's language."""

from collections.abc import Mapping

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from councils.engine.readings import BallotFault
from councils.engine.reasons import Reason, ReasonCode
from councils.models import CouncilRun

FAULTS: Mapping[str, str] = {
    "council_error": _("The council could not do this."),
    "invalid_spec": _("This council cannot deliberate as it is configured."),
    "budget_used_up": _("A budget cannot pay for this call, so it was not made."),
    "provider_error": _("The provider could not answer."),
    "connect_failed": _("The provider could not be reached."),
    "rate_limited": _("The provider asks us to slow down."),
    "provider_unavailable": _("The provider has a fault of its own."),
    "endpoint_unavailable": _("The provider failed several times in a row and is left alone for a while."),
    "timeout": _("The answer did not come in time."),
    "broken_stream": _("The answer broke off or was not in the provider's protocol."),
    "authentication_failed": _("The provider does not accept our key."),
    "bad_request": _("The provider does not accept this request."),
    "context_too_long": _("The prompt is longer than the model can read."),
    "structure_unsupported": _("The model does not offer this structured-output mode."),
    "empty_answer": _("The model finished without an answer."),
    "out_of_tokens": _("The token limit was reached before the first word."),
    "refused": _("The model declined to answer."),
    "content_filtered": _("The provider's content filter declined the question or the answer."),
    "egress_denied": _("This address may not be contacted."),
}
"""What the errors of the engine mean, by kind; the English is that of their docstrings."""

BALLOTS: Mapping[str, str] = {
    BallotFault.EMPTY: _("The reply is empty."),
    BallotFault.NO_BALLOT: _("There are no rankings in the reply."),
    BallotFault.QUOTED: _("The only vote in the reply was copied from an answer."),
    BallotFault.CONFLICT: _("The reply contradicts itself."),
    BallotFault.UNKNOWN_LABEL: _("The reply ranks something that is not one of the answers."),
    BallotFault.DOUBLED_LABEL: _("The reply ranks an answer more than once."),
    BallotFault.MISSING_LABEL: _("The reply leaves answers out."),
    BallotFault.BAD_SCORE: _("A score is not a number from 1 to 10."),
    BallotFault.MISSING_SCORE: _("Scores are missing."),
    BallotFault.BAD_SHAPE: _("The reply is not in the form that was asked for."),
    BallotFault.BAD_ORDER: _("The numbers in the reply give no order."),
}
"""Why a ballot does not count. Its labels are random letters, so that the exact words are left to the record."""

WHOLE_SENTENCES = frozenset({_("It took longer than the council waits."), _("The server stopped while this call was under way.")})
"""Messages of ours that belong to no kind of error."""


def fault(kind: str, message: str) -> str:
    """What went wrong, from the kind and the English message of a step or call. The provider's own words are for staff, in the admin."""
    if message in WHOLE_SENTENCES:
        return gettext(message)
    if meaning := FAULTS.get(kind) or BALLOTS.get(kind):
        return gettext(meaning)
    return gettext(FAULTS["provider_error"]) if kind or message else ""


def reason(run: CouncilRun) -> str:
    """Why the run ended as it did. Runs of another version, whose code or facts say nothing here, keep their English sentence."""
    try:
        return Reason(ReasonCode(run.reason_code), run.reason_facts).sentence(gettext)
    except (ValueError, KeyError, TypeError):
        return run.reason
