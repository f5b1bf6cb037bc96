"""Every error of the API in one envelope, made in one place."""

import logging
from typing import Any

from rest_framework.exceptions import APIException, ErrorDetail, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler

from councils.api.envelope import envelope
from councils.services.away import is_away
from councils.services.errors import Rejected

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 5


def envelope_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to an exception; ``None`` for what nobody foresaw, which Django logs and the middleware wraps."""
    if isinstance(error, Rejected):
        return Response(envelope(error.code, error.message, error.facts), status=error.status)
    if is_away(error):
        logger.error("database not available: %s", error)
        message = "The database cannot be reached. Nothing was changed; try again in a moment."
        return Response(envelope("unavailable", message), status=503, headers={"Retry-After": str(RETRY_AFTER_S)})
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, ValidationError):
        response.data = _invalid(error)
    elif isinstance(error, APIException) and isinstance(error.detail, ErrorDetail):
        response.data = envelope(error.detail.code or error.default_code, str(error.detail))
    else:
        response.data = _plain(response.status_code)
    return response


def _invalid(error: ValidationError) -> Any:
    fields = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
    return envelope("invalid", f"Check these fields: {', '.join(str(name) for name in fields)}.", fields)


def _plain(status: int) -> Any:
    """The envelope of Django's own ``Http404`` and ``PermissionDenied``."""
    if status == 404:
        return envelope("not_found", "There is nothing here for you.")
    return envelope("permission_denied", "You may not do this.")
