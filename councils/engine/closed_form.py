"""Answers that are nothing but a choice, a number or a yes or no: where all agree, a review has nothing to weigh."""

import re
from collections.abc import Sequence
from decimal import Decimal

_LEAD = re.compile(r"^(the\s+)?(final\s+|correct\s+)?(answer|option|choice)(\s+is)?\s*:?\s*", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d{1,30})(\.\d{1,30})?")
_CHOICE = re.compile(r"[A-J]", re.IGNORECASE)
_YES_NO = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}


def closed_form(text: str) -> str | None:
    """The answer in one normal spelling (``number 42``, ``choice B``, ``yes``), ``None`` where it says anything more."""
    core = text.strip().strip("*_`").strip()
    core = _LEAD.sub("", core).strip("*_`\"'()[].! \n")
    if core.lower() in _YES_NO:
        return _YES_NO[core.lower()]
    if _CHOICE.fullmatch(core):
        return f"choice {core.upper()}"
    if _NUMBER.fullmatch(core):
        return f"number {Decimal(core.replace(',', '')).normalize():f}"
    return None


def all_agree(texts: Sequence[str]) -> bool:
    """Whether all of these are closed-form answers, and the same one."""
    forms = {closed_form(text) for text in texts}
    return len(forms) == 1 and None not in forms
