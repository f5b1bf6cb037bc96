"""``GET /metrics`` of the site: for Prometheus with its token, for superusers in their browser, on a developer's machine for that machine.

To everybody else there is nothing here.
"""

from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import resolve
from django.views.decorators.http import require_safe

from councils.models import User
from councils.telemetry.exposition import CONTENT_TYPE, exposition, is_token
from councils.telemetry.gauges import DatabaseGauges

PATH = "/metrics"
# Any of these says that somebody forwarded the request: then the address that it came from says nothing of who asks.
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")
_gauges = DatabaseGauges()


class ScrapeMiddleware:
    """Answers who brings the token before anything else is looked at: the name by which Prometheus calls the site, https, the session.

    So figures are told while the database is away, and inside of a private network where the site has no certificate.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        is_scrape = request.path_info == PATH and request.method in {"GET", "HEAD"} and settings.ENABLE_METRICS
        if is_scrape and is_token(request.META.get("HTTP_AUTHORIZATION", "")):
            # It is counted as what it is, though nobody looked for its view.
            request.resolver_match = resolve(PATH)
            return _figures()
        return self.get_response(request)


@require_safe
def metrics_page(request: HttpRequest) -> HttpResponse:
    """The figures for a superuser, or for this machine in the local profile. Raises ``Http404`` for everybody else."""
    if not settings.ENABLE_METRICS or not (_is_at_this_machine(request) or _is_superuser(request)):
        raise Http404
    return _figures()


def _figures() -> HttpResponse:
    return HttpResponse(exposition(_gauges), content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


def _is_superuser(request: HttpRequest) -> bool:
    user = request.user
    return isinstance(user, User) and user.is_active and user.is_superuser


def _is_at_this_machine(request: HttpRequest) -> bool:
    if settings.SITE_PROFILE != "local" or any(request.META.get(name) for name in FORWARDED):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
