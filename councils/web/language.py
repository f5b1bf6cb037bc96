"""The language of the pages: what the reader chose, else what the browser asks for. Kept in a cookie, as the look is."""

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import translation
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.http import require_POST

from councils.models.user import Language, User
from councils.web.back import back

KEPT_FOR = timedelta(days=365)
ENGLISH_ONLY = ("/admin/", "/api/")
"""Programs read what the API says; and the admin, half French by its libraries and half English by us, would be worse than English."""


class LanguageMiddleware(LocaleMiddleware):
    """Django's own, except for the doors that speak English to everybody."""

    def process_request(self, request: HttpRequest) -> None:
        if request.path_info.startswith(ENGLISH_ONLY):
            translation.activate(Language.ENGLISH.value)
            request.LANGUAGE_CODE = Language.ENGLISH.value
        else:
            super().process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response = super().process_response(request, response)
        # What this thread does next is not for this reader.
        translation.deactivate()
        return response


def keep_language(response: HttpResponse, language: str) -> None:
    """Make this browser remember the language; none forgets it, and then the browser's own decides."""
    name = settings.LANGUAGE_COOKIE_NAME
    if language in Language.values:
        secure = bool(settings.SESSION_COOKIE_SECURE)
        response.set_cookie(name, language, max_age=KEPT_FOR, secure=secure, httponly=True, samesite="Lax")
    else:
        response.delete_cookie(name, samesite="Lax")


def chosen_language(request: HttpRequest) -> str:
    """What this browser was told to remember; empty where nobody chose."""
    value = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    return value if value in Language.values else ""


def browsers_language(request: HttpRequest) -> str:
    """What the browser asks for, whatever was chosen in it."""
    asked = (name for name, _ in parse_accept_lang_header(request.headers.get("Accept-Language", "")))
    return next((name[:2] for name in asked if name[:2] in Language.values), Language.ENGLISH.value)


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Keep the choice, for this browser and for the account, and show the same page again."""
    response = redirect(back(request, reverse("ask")))
    value = request.POST.get("language", "")
    if value in Language.values:
        keep_language(response, value)
        if isinstance(request.user, User):
            request.user.prefer(language=value)
    return response
