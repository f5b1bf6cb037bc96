"""What staff decide about runs that came back with a backup."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from councils.admin.base import ReadOnlyAdmin, action, signed_in
from councils.admin.pages import page
from councils.models import CouncilRun
from councils.services.holding import continue_run, give_up_run

HELD = "held after a restore"
"""What stands in the place of the status: nobody drives such a run, whatever its row says."""

DECIDED_AT_ONCE = 200
"""A browser sends each of them back when it confirms."""


class HeldFilter(SimpleListFilter):
    """Runs that wait for staff."""

    title = HELD
    parameter_name = "held"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Held")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CouncilRun]) -> QuerySet[CouncilRun]:
        return queryset.filter(pk__in=CouncilRun.objects.held().values("pk")) if self.value() == "yes" else queryset


class HoldingAdmin(ReadOnlyAdmin[CouncilRun]):
    """The actions "continue" and "give up" on held runs, each with a question first."""

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("councils.change_councilrun")

    @action(description="Continue (held after a restore)", permissions=["decide"])
    def continue_runs(self, request: HttpRequest, queryset: QuerySet[CouncilRun]) -> TemplateResponse | None:
        return self._decide(request, queryset, continue_run, "Continue")

    @action(description="Give up (held after a restore)", permissions=["decide"])
    def give_up_runs(self, request: HttpRequest, queryset: QuerySet[CouncilRun]) -> TemplateResponse | None:
        return self._decide(request, queryset, give_up_run, "Give up")

    def _decide(
        self, request: HttpRequest, queryset: QuerySet[CouncilRun], decide: Callable[..., bool], title: str
    ) -> TemplateResponse | None:
        """Ask whether it is meant, then do it for each that still waits, and say how many that were."""
        runs = list(CouncilRun.objects.held().filter(pk__in=queryset.order_by().values("pk")).order_by("pk")[:DECIDED_AT_ONCE])
        if not runs:
            messages.warning(request, "None of them is held.")
            return None
        if "confirmed" not in request.POST:
            asked = {"runs": runs, "action": request.POST["action"], "checkbox": ACTION_CHECKBOX_NAME, "pays": decide is continue_run}
            return page(self, request, "councilrun/decide.html", title, **asked)
        decided = 0
        for run in runs:
            with transaction.atomic():
                if decide(run=run, by=signed_in(request)):
                    decided += 1
                    self.log_change(request, run, f"It was held after a restore. {title}.")
        messages.success(request, f"{title}: {decided} of {len(runs)}.")
        return None
