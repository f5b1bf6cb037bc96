"""The content security policy, with the one exception that the admin's interface needs."""

from typing import Any

from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase

# Unfold's Alpine compiles the expressions in its attributes, and its theme is a style element. Inline scripts and handlers stay forbidden.
ADMIN_ADDITIONS: dict[str, Any] = {"script-src": ["'unsafe-eval'"], "style-src": ["'unsafe-inline'"]}


class ContentSecurityPolicyMiddleware(CSPMiddleware):
    """The strict policy on every page; under ``/admin/`` also what django-unfold cannot do without."""

    def get_policy_parts(self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if request.path_info.startswith("/admin/") and parts.update is None:
            parts.update = ADMIN_ADDITIONS
        return parts
