"""What load balancers ask: does the process answer, and can it serve?

Answered before everything else: by any host name, without a redirect to https, a session, a limit or a row, and while the database is away.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from councils.services.readiness import Status, readiness

UNAVAILABLE = 503
METHODS = ("GET", "HEAD")


def live() -> HttpResponse:
    """The process answers. Says nothing of what it needs: restarting it would mend none of that."""
    return JsonResponse({"status": Status.OK})


def ready() -> HttpResponse:
    """Whether to send visitors here: 503 without a database or before its migrations; what merely serves less well is still 200."""
    found = readiness()
    components = {name: {"status": part.status, "latency_ms": part.latency_ms} for name, part in found.components.items()}
    status = UNAVAILABLE if found.status is Status.DOWN else 200
    return JsonResponse({"status": found.status, "components": components}, status=status)


ANSWERS: dict[str, Callable[[], HttpResponse]] = {"/health": live, "/healthz": ready}


class HealthMiddleware:
    """The outermost: answers these addresses itself, with or without a slash at the end."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = ANSWERS.get(request.path_info.removesuffix("/"))
        if answer is None:
            return self.get_response(request)
        response = answer() if request.method in METHODS else HttpResponse(status=405, headers={"Allow": ", ".join(METHODS)})
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
