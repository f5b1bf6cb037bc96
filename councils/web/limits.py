"""How often the forms may be sent, counted in the cache by django-ratelimit."""

from dataclasses import dataclass

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_ratelimit.core import get_usage

from councils.models import User
from councils.web.members import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """``rate`` as django-ratelimit writes it, for instance ``20/5m``. ``message`` is for the person who has to wait."""

    group: str
    rate: str
    message: Text

    def is_over(self, request: HttpRequest, key: str) -> bool:
        """Count this attempt under ``key``; whether there were too many. A cache that is away stops nobody: the pages still work."""
        usage = get_usage(request, group=self.group, key=lambda _group, _request: key, rate=self.rate, increment=True)
        return bool(usage and usage["limit"] and usage["should_limit"])


SIGN_IN_BY_ADDRESS = Limit(
    group="sign-in-address", rate="30/5m", message=_("There were too many attempts from your network. Wait five minutes and try again.")
)
SIGN_IN_BY_NAME = Limit(
    group="sign-in-name", rate="8/5m", message=_("There were too many attempts for this user name. Wait five minutes and try again.")
)
SIGN_UP = Limit(group="sign-up", rate="10/h", message=_("Too many accounts were made from your network. Try again in an hour."))
QUESTION = Limit(
    group="question", rate="20/m", message=_("You have asked many questions within a minute. Wait a moment and send it again.")
)


def signed_in(request: HttpRequest) -> User:
    """The user of a view that demands one."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user
