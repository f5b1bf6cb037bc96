"""How the pages look: light, dark, or as the device says. Kept in a cookie, so that the server's first byte already knows."""

from datetime import timedelta

from django.conf import settings
from django.db.models import TextChoices
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from councils.web.back import back

COOKIE = "theme"
KEPT_FOR = timedelta(days=365)


class Theme(TextChoices):
    """The looks to choose from. ``SYSTEM`` follows the device and needs no cookie."""

    SYSTEM = "system", _("System")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")

    @property
    def color_scheme(self) -> str:
        """What the page tells the browser, so that its own parts (fields, scroll bars, the first blank canvas) fit."""
        return "light dark" if self is Theme.SYSTEM else str(self.value)


def theme_of(request: HttpRequest) -> Theme:
    """What this browser has chosen; whatever else the cookie says, the device's own look."""
    value = request.COOKIES.get(COOKIE, "")
    return Theme(value) if value in Theme.values else Theme.SYSTEM


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Keep the choice and show the same page again."""
    response = redirect(back(request, reverse("ask")))
    value = request.POST.get("theme", "")
    if value in {Theme.LIGHT, Theme.DARK}:
        secure = bool(settings.SESSION_COOKIE_SECURE)
        response.set_cookie(COOKIE, value, max_age=KEPT_FOR, secure=secure, httponly=True, samesite="Lax")
    elif value == Theme.SYSTEM:
        response.delete_cookie(COOKIE, samesite="Lax")
    return response
