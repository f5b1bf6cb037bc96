"""The site's addresses, and one for every error page."""

from collections.abc import Callable

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path
from django.views.csrf import csrf_failure

handler500 = "councils.web.errors.server_error"

FAULTS: dict[str, type[Exception]] = {
    "400": SuspiciousOperation,
    "403": PermissionDenied,
    "404": Http404,
    "500": RuntimeError,
    "503": OperationalError,
}


def broken(_request: HttpRequest, kind: str) -> HttpResponse:
    """Fail as that error page wants it."""
    raise FAULTS[kind](f"Asked for: {kind}")


def stale(request: HttpRequest) -> HttpResponse:
    return csrf_failure(request, "stale")


def too_many(request: HttpRequest) -> HttpResponse:
    return render(request, "429.html", {"wait_s": 12}, status=429)


ERROR_PAGES: dict[str, Callable[..., HttpResponse]] = {"csrf": stale, "429": too_many}

urlpatterns = [
    *(path(f"broken/{kind}/", view) for kind, view in ERROR_PAGES.items()),
    path("broken/<str:kind>/", broken),
    path("", include("council_site.urls")),
]
