"""Who spent what: a page beside the ledger."""

from datetime import date

from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from councils.admin.large import LargeList
from councils.admin.pages import page
from councils.admin.show import list_address
from councils.models import CouncilRun, LedgerEntry, ModelCall
from councils.services.spenders import LONGEST_DAYS, By, Line, Period, spending

TITLES = {By.USER: "User", By.COUNCIL: "Council", By.KEY: "API key", By.MODEL: "Model"}
FILTERS: dict[By, tuple[type[Model], str]] = {
    By.USER: (CouncilRun, "owner__id__exact"),
    By.COUNCIL: (CouncilRun, "council__id__exact"),
    By.KEY: (CouncilRun, "api_key__id__exact"),
    By.MODEL: (ModelCall, "model__id__exact"),
}


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _by(text: str) -> By:
    return By(text) if text in set(By) else By.USER


def _address(by: By, line: Line) -> str:
    """The list of what makes up the sum; empty for what is deleted."""
    model, name = FILTERS[by]
    return list_address(model, **{name: line.pk}) if line.pk is not None else ""


class SpendingPage(LargeList[LedgerEntry]):
    """For the admin of the ledger: whoever may see that may see its sums."""

    list_before_template = "admin/councils/ledgerentry/_spending_link.html"

    def get_urls(self) -> list[URLPattern]:
        shown = path("spending/", self.admin_site.admin_view(self.spending), name="councils_ledgerentry_spending")
        return [shown, *super().get_urls()]

    def spending(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        by = _by(request.GET.get("by", ""))
        period = Period.of(_day(request.GET.get("from", "")), _day(request.GET.get("to", "")))
        found = spending(by, period)
        lines = [{"line": line, "share": found.share(line), "address": _address(by, line)} for line in found.lines]
        said = {"by": by.value, "title_of": TITLES[by], "choices": [(one.value, title) for one, title in TITLES.items()]}
        told = {"period": period, "found": found, "lines": lines, "longest": LONGEST_DAYS, "counts": "Calls" if by is By.MODEL else "Runs"}
        return page(self, request, "ledgerentry/spending.html", "Who spent what", **said, **told)
