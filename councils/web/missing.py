"""Who did not do its part in a run, by name and with the reason."""

from collections.abc import Iterable

from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from councils.engine.steps import SYNTHESIS, agent_of, stage_of
from councils.engine.types import Stage, StepStatus
from councils.models import RunStep
from councils.web.members import Text
from councils.web.record import Record, problem_of

LATE = frozenset({StepStatus.LATE.value, StepStatus.LATE_DONE.value})
MISSING = {Stage.OPINIONS: _("No answer from %(names)s."), Stage.REVIEW: _("No ballot that counts from %(names)s.")}
TOO_LATE = {
    Stage.OPINIONS: _("Too late with the answer, not waited for: %(names)s."),
    Stage.REVIEW: _("Too late with the ballot, not waited for: %(names)s."),
}


def missing(record: Record) -> list[str]:
    """A sentence for each thing that went wrong with members, naming all whom it befell."""
    found: dict[tuple[Text, str], list[str]] = {}
    for row in record.rows.values():
        if not agent_of(row.key) or row.status == StepStatus.DONE.value:
            continue
        late = row.status in LATE
        what = (TOO_LATE if late else MISSING)[stage_of(row.key)]
        found.setdefault((what, "" if late else problem_of(row)), []).append(_name(record, row))
    return [f"{what % {'names': _listed(names)}} {why}".strip() for (what, why), names in found.items()]


def substituted(record: Record) -> str:
    """For whom a substitute model spoke; empty where nobody knows."""
    names = [_name(record, row) for row in record.rows.values() if row.substituted]
    return _t("A substitute model spoke for %(names)s.") % {"names": _listed(names)} if names else ""


def _name(record: Record, row: RunStep) -> str:
    return _t("the chairman") if row.key == SYNTHESIS else record.panel.member(agent_of(row.key)).name


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
