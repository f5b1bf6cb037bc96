"""Roles: groups of permissions by what people do here. A role is a plain group, so that staff may change it; what they changed stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q

from councils.services.auditing import record_created

_LOOK = "councilrun opinion review synthesis runstep runevent modelcall conversation message feedback answerpick modelinfo"
_HEALTH = "healthrecord enginesign scheduledjob cachestatistic ratelimitlog"
_ALL = ("view", "add", "change", "delete")


def _may(verbs: Sequence[str], models: str) -> frozenset[str]:
    return frozenset(f"councils.{verb}_{model}" for verb in verbs for model in models.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What a role allows, in words and as permissions (``app.codename``)."""

    allows: str
    permissions: frozenset[str]


_FIGURES = frozenset({"analytics.view_modelanalytics", "analytics.view_conversationanalytics"})
VIEWER = _may(("view",), f"{_LOOK} {_HEALTH} modelprice") | _FIGURES
OPERATOR = VIEWER | _may(("view",), "provider budget ledgerentry cachedresponse")
OPERATOR |= frozenset({"councils.change_councilrun", "councils.delete_cachedresponse", "councils.check_provider"})
MANAGER = VIEWER | _may(("view",), "provider budget trial")
MANAGER |= _may(_ALL, "councilconfiguration councilmember chairmanfallback councildraft questionset savedquestion modelinfo")
MANAGER |= _may(("view", "add", "delete"), "prompttemplate") | _may(("add",), "trial") | frozenset({"councils.check_provider"})

ROLES: Mapping[str, Role] = {
    "Viewer": Role(
        allows="Sees runs, calls, health and figures. Sees no prompts, no keys and no budgets, and changes nothing.", permissions=VIEWER
    ),
    "Operator": Role(
        allows="What a viewer sees, and budgets. Cancels and retries runs, tests connections, clears the cache.", permissions=OPERATOR
    ),
    "Council manager": Role(
        allows="What a viewer sees. Sets up councils, prompts, models and question sets, and tries drafts. No prices, no keys, no users.",
        permissions=MANAGER,
    ),
}


def in_words(group: Group) -> str:
    """What a group allows: a role by its sentence as long as nobody has changed it, else by the count of its rights."""
    role = ROLES.get(group.name)
    held = frozenset(f"{app}.{codename}" for app, codename in group.permissions.values_list("content_type__app_label", "codename"))
    if role and held == role.permissions:
        return role.allows
    count = f"{len(held)} right{'' if len(held) == 1 else 's'}"
    return f"{count}, changed since it was set up." if role else f"{count}."


@transaction.atomic
def ensure_roles() -> list[str]:
    """Make the roles that are missing, by name. One that is there is left as it is, also where staff have changed it."""
    made = []
    for name, role in ROLES.items():
        group, is_new = Group.objects.get_or_create(name=name)
        if is_new:
            group.permissions.set(_stored(role.permissions))
            record_created(group)
            made.append(name)
    return made


def _stored(names: frozenset[str]) -> list[Permission]:
    wanted = Q(pk=None)
    for name in names:
        app, _, codename = name.partition(".")
        wanted |= Q(content_type__app_label=app, codename=codename)
    return list(Permission.objects.filter(wanted))
