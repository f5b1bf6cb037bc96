"""The one repair call: the reviewer sees its own reply, what is wrong with it, and the form again."""

from dataclasses import replace

from councils.engine.fences import sanitise
from councils.engine.prompts import PreparedCall, ballot_form
from councils.engine.readings import BallotProblem
from councils.engine.types import ChatMessage

# Enough to see a ballot by; a runaway reply would push the answers out of the model's window.
REPLY_CHARS = 4_000


def repair_call(prepared: PreparedCall, answer: str, problem: BallotProblem) -> PreparedCall:
    """The same call with the failed reply and the reason appended. It is asked coldly: this is about form, not about taste."""
    request = (
        f"This could not be used. {problem.sentence} Reply again with JSON only. "
        f"Name each of these answers exactly once: {', '.join(prepared.labels)}. Use this form:\n{ballot_form(tuple(prepared.labels))}"
    )
    reply = sanitise(answer)[:REPLY_CHARS] or "(no answer)"
    messages = (*prepared.messages, ChatMessage(role="assistant", content=reply), ChatMessage(role="user", content=request))
    return replace(prepared, messages=messages, temperature=None if prepared.temperature is None else 0.0)
