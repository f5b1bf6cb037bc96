"""The last resort of the pages."""

import sys
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from councils.services.away import is_away

RETRY_AFTER_S = 10


def server_error(request: HttpRequest) -> HttpResponse:
    """What people see of a crash. A database that is away or busy is no crash of ours: it passes, and the page says so."""
    passes = is_away(sys.exc_info()[1])
    status = HTTPStatus.SERVICE_UNAVAILABLE if passes else HTTPStatus.INTERNAL_SERVER_ERROR
    # Not as a page of this request: its user would be looked up in the very database that may be away. The look is in a cookie.
    response = render(None, f"{status.value}.html", {"request": request}, status=status)
    if passes:
        response["Retry-After"] = str(RETRY_AFTER_S)
    return response


def csrf_failure(request: HttpRequest, **_why: str) -> HttpResponse:
    """A form without its token: of another site, out of date, or from a browser that keeps no cookies."""
    return render(request, "403_csrf.html", status=HTTPStatus.FORBIDDEN)
