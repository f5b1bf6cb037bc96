"""The limits of pages, and the headers that tell everybody what is left."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import Resolver404, resolve
from django.utils.translation import ngettext

from councils.models import User
from councils.origins import client_address
from councils.services.counting import counter
from councils.services.limiting import VERDICT, Verdict, changes, reads, take
from councils.web.limits import QUESTION

TOO_MANY_REQUESTS = 429
ELSEWHERE = ("/api/", "/static/", "/health", "/metrics", "/favicon.ico")
"""The API limits by its keys (``councils.api.throttling``); a load balancer and a scraper are nobody's visitors."""


class RateLimitMiddleware:
    """Refuses a visitor whose bucket is empty with 429, and adds the headers of the bucket to every answer that took from one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(ELSEWHERE):
            return _told(self.get_response(request), request.META.get(VERDICT))
        # Who comes is asked before the view: it may sign them in or out.
        identity = _identity(request)
        verdict = take(reads(), identity)
        response = self.get_response(request) if verdict is None or verdict.allowed else _refusal(request, verdict)
        # What the view took says more than that a page could be shown.
        verdict = request.META.get(VERDICT) or verdict
        if verdict is not None:
            counter.count(identity, endpoint_of(request), blocked=not verdict.allowed)
        return _told(response, verdict)


def start_refused(request: HttpRequest) -> str:
    """Take one from what this user may start: pages take from the same bucket as the API. Says why not, empty where it may start."""
    if QUESTION.is_over(request, str(request.user.pk)):
        return str(QUESTION.message)
    verdict = take(changes(), _identity(request))
    if verdict is None:
        return ""
    request.META[VERDICT] = verdict
    if verdict.allowed:
        return ""
    said = ngettext(
        "You have asked as often as this site allows for now. Wait %(n)d second, then send it again.",
        "You have asked as often as this site allows for now. Wait %(n)d seconds, then send it again.",
        verdict.retry_after,
    )
    return said % {"n": verdict.retry_after}


def _identity(request: HttpRequest) -> str:
    user = request.user
    return f"user:{user.pk}" if isinstance(user, User) else f"ip:{client_address(request)}"


def _told(response: HttpResponseBase, verdict: Verdict | None) -> HttpResponseBase:
    for name, value in (verdict.headers() if verdict else {}).items():
        response.headers.setdefault(name, value)
    return response


def endpoint_of(request: HttpRequest) -> str:
    """Method and name of the address, so that ids in it do not make a row each."""
    try:
        name = resolve(request.path_info).view_name
    except Resolver404:
        name = "unknown"
    return f"{request.method} {name}"


def _refusal(request: HttpRequest, verdict: Verdict) -> HttpResponse:
    return render(request, "429.html", {"wait_s": verdict.retry_after}, status=TOO_MANY_REQUESTS)
