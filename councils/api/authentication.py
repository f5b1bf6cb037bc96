"""How programs come in: ``Authorization: Bearer llmc_…``."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from councils.models import ApiKey, User
from councils.origins import client_address
from councils.services.limiting import failed_keys, take

SCHEME = "Bearer"


class ApiKeyAuthentication(BaseAuthentication):
    """An API key acts in the name of its user. A request that names one stands or falls with it: its session is not looked at."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        scheme, _, token = get_authorization_header(request).strip().partition(b" ")
        if scheme.lower() != SCHEME.lower().encode():
            return None
        try:
            key = ApiKey.objects.find(token.strip().decode("ascii"))
        except UnicodeDecodeError:
            key = None
        if key is None:
            # Others behind the same address have keys that are good: only who guesses has to wait.
            verdict = take(failed_keys(), client_address(request))
            if verdict is not None and not verdict.allowed:
                raise Throttled(wait=verdict.retry_after)
            raise AuthenticationFailed("This API key is unknown, expired or revoked.")
        return key.user, key

    def authenticate_header(self, *_: Any, **__: Any) -> str:
        return f'{SCHEME} realm="LLM Council"'


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """How the schema names it."""

    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, *_: Any, **__: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key, llmc_…"}
