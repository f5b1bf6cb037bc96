"""How the pages look: light, dark, or as the device says. Kept in a cookie, so that the server's first byte already knows."""

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe

from councils.models.user import Theme, User
from councils.web.back import back

COOKIE = "theme"
KEPT_FOR = timedelta(days=365)


def theme_of(request: HttpRequest) -> Theme:
    """What this browser has chosen; whatever else the cookie says, the device's own look."""
    value = request.COOKIES.get(COOKIE, "")
    return Theme(value) if value in Theme.values else Theme.SYSTEM


def keep_theme(response: HttpResponse, theme: str) -> None:
    """Make this browser remember the look; the device's own needs no cookie."""
    if theme in {Theme.LIGHT, Theme.DARK}:
        secure = bool(settings.SESSION_COOKIE_SECURE)
        response.set_cookie(COOKIE, theme, max_age=KEPT_FOR, secure=secure, httponly=True, samesite="Lax")
    elif theme == Theme.SYSTEM:
        response.delete_cookie(COOKIE, samesite="Lax")


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Keep the choice, for this browser and for the account, and show the same page again."""
    response = redirect(back(request, reverse("ask")))
    value = request.POST.get("theme", "")
    keep_theme(response, value)
    if value in Theme.values and isinstance(request.user, User):
        request.user.prefer(theme=value)
    return response


@require_safe
@cache_control(public=True, max_age=86_400)
def favicon(_request: HttpRequest) -> HttpResponse:
    """Where browsers look for the icon unasked, on pages that name none: files, answers of the API."""
    return redirect(static("councils/icon.svg"))
