"""The last word on what leaves ``/api/``."""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from councils.api.envelope import envelope_bytes

PREFIX = "/api/"
CODES = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.FORBIDDEN: "permission_denied",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal_error",
}
MESSAGES = {
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong on our side. It has been logged.",
}


class ApiAnswersMiddleware:
    """Gives every error of ``/api/`` the envelope, also those that Django makes itself: a foreign host, a crash, a bad address.

    It is the outermost but for those that observe: nothing comes after it. The body is replaced in place, which keeps the headers of the
    inner ones.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.path_info.startswith(PREFIX):
            return response
        if response.status_code >= HTTPStatus.BAD_REQUEST and isinstance(response, HttpResponse) and not _is_json(response):
            _replace(response)
        # Answers are somebody's own; no proxy or browser may keep them for another.
        response.headers.setdefault("Cache-Control", "no-store")
        return response


def _is_json(response: HttpResponse) -> bool:
    return response.headers.get("Content-Type", "").startswith("application/json")


def _replace(response: HttpResponse) -> None:
    status = HTTPStatus(response.status_code)
    response.content = envelope_bytes(CODES.get(status, "error"), MESSAGES.get(status, f"{status.phrase}."))
    response.headers["Content-Type"] = "application/json"
    if "Content-Length" in response.headers:
        response.headers["Content-Length"] = str(len(response.content))
