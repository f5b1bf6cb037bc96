"""What a list says before anything is in it: what it will hold, and what to do first."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

COUNCILS = "admin:councils_councilconfiguration_changelist"


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """``leads_to`` is where one begins: the words of a button, the name of a page, the right that it takes. Without it one adds a row."""

    says: str
    leads_to: tuple[str, str, str] | None = None


_ASK = ("Ask a question", "ask", "")
_OPEN = ("Open the councils", COUNCILS, "councils.view_councilconfiguration")
_ANSWERS = "The next question that a council answers brings the first ones."

EMPTY: Mapping[str, Empty] = {
    "provider": Empty(
        says="A provider serves models: a company's API, or a server of your own. Add one, test it, then take models from its list."
    ),
    "modelinfo": Empty(
        says="A model belongs to a provider and has prices. Open a provider: it tells which models it serves.",
        leads_to=("Open the providers", "admin:councils_provider_changelist", "councils.view_provider"),
    ),
    "councilconfiguration": Empty(
        says="In a council several models answer, review each other and vote. It needs models: set up a provider first."
    ),
    "councildraft": Empty(
        says="A draft is a change to a council that nobody is asked by yet. Open a council, change it and press “Keep as a draft”.",
        leads_to=_OPEN,
    ),
    "trial": Empty(
        says="A trial asks a council, or a draft of it, before you publish. Open a council and follow “Try it…”.", leads_to=_OPEN
    ),
    "prompttemplate": Empty(says="Councils use the built-in prompts. Write one of your own to change what members are told."),
    "questionset": Empty(says="A set keeps questions with which you try councils again and again, for instance after every change."),
    "councilrun": Empty(says="Every question to a council is a run, with all that led to its answer.", leads_to=_ASK),
    "conversation": Empty(says="Questions and answers stand in conversations, by person.", leads_to=_ASK),
    "message": Empty(says=_ANSWERS, leads_to=_ASK),
    "opinion": Empty(says=f"What each member answered. {_ANSWERS}", leads_to=_ASK),
    "review": Empty(says=f"How each member ranked the others. {_ANSWERS}", leads_to=_ASK),
    "synthesis": Empty(says=f"What the chairman wrote. {_ANSWERS}", leads_to=_ASK),
    "modelcall": Empty(says=f"Every attempt at a provider is listed here, with its tokens and its cost. {_ANSWERS}", leads_to=_ASK),
    "ledgerentry": Empty(says=f"What was reserved, charged and given back. {_ANSWERS}", leads_to=_ASK),
    "feedback": Empty(says="People say below an answer whether it was good. The first thumb shows here."),
    "answerpick": Empty(says="Where people compare answers without knowing who wrote them, their choices show here."),
    "budget": Empty(says="A budget stops paid calls when it is used up: of a user, an API key, a council or everybody together."),
    "apikey": Empty(says="Programs ask with an API key. It is shown once, when it is issued, and can be revoked at any time."),
    "group": Empty(says="Groups are roles: what their people may see and do here."),
    "cachedresponse": Empty(says="Answers that may serve again for an hour or so. Empty is nothing to worry about."),
    "ratelimitlog": Empty(says="Who asked how often, and who was refused. Nobody was counted yet."),
    "periodictask": Empty(says="Hourly and daily work under Celery. Without a broker, the scheduled jobs do the same."),
}
NOTHING = Empty(says="Nothing was recorded here yet.")


def lesson(model_name: str, request: HttpRequest) -> dict[str, str]:
    """For the template of an empty list: the sentence, and where a button leads unless it adds a row."""
    found = EMPTY.get(model_name, NOTHING)
    words, name, right = found.leads_to or ("", "", "")
    if not name or (right and not request.user.has_perm(right)):
        return {"says": found.says}
    return {"says": found.says, "words": words, "address": reverse(name)}
