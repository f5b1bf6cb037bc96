"""The last resort of the pages."""

import sys
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.defaults import server_error as plain_server_error

RETRY_AFTER_S = 10


def server_error(request: HttpRequest) -> HttpResponse:
    """What people see of a crash. A database that is away or busy is no crash of ours: it passes, and the page says so."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        # Without the request: its user would be looked up in the very database that is away.
        response = render(None, "503.html", status=HTTPStatus.SERVICE_UNAVAILABLE)
        response["Retry-After"] = str(RETRY_AFTER_S)
        return response
    return plain_server_error(request)
