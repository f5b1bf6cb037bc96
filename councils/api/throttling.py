"""How often a program may come."""

from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from councils.models import ApiKey
from councils.origins import client_address
from councils.services.counting import counter
from councils.services.limiting import VERDICT, Verdict, changes, reads, take

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class BucketThrottle(BaseThrottle):
    """One bucket for requests that change something, a larger one for those that read, by API key, else user, else address.

    Reading has its own, because a run is followed by reading: it must not cost the questions that one may still ask.
    """

    _verdict: Verdict | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        rule = reads() if request.method in SAFE_METHODS else changes()
        identity = identity_of(request)
        self._verdict = take(rule, identity)
        if self._verdict is None:
            return True
        # The middleware that adds the headers sees Django's request, not this one; both have the same META.
        request.META[VERDICT] = self._verdict
        match = request.resolver_match
        counter.count(identity, f"{request.method} {match.view_name if match else 'unknown'}", blocked=not self._verdict.allowed)
        return self._verdict.allowed

    def wait(self) -> float | None:
        return self._verdict.retry_after if self._verdict else None


def identity_of(request: Request) -> str:
    """Whose bucket a request takes from."""
    if isinstance(request.auth, ApiKey):
        return f"key:{request.auth.pk}"
    if request.user.is_authenticated:
        return f"user:{request.user.pk}"
    return f"ip:{client_address(request)}"
