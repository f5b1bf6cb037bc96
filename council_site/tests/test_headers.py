"""What every page tells the browser about what it may do."""

from collections.abc import Callable

import pytest
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.test import RequestFactory
from django.utils.module_loading import import_string
from pytest_django.fixtures import Settings

from council_site.middleware import ContentSecurityPolicyMiddleware


def sent_through(page: Callable[[HttpRequest], HttpResponseBase], path: str) -> HttpResponseBase:
    response = ContentSecurityPolicyMiddleware(page)(RequestFactory().get(path))
    assert isinstance(response, HttpResponseBase)
    return response


def policy(path: str) -> dict[str, list[str]]:
    """The directives that a page at ``path`` is sent with."""

    def page(request: HttpRequest) -> HttpResponse:
        return HttpResponse("page")

    response = sent_through(page, path)
    directives = (directive.split() for directive in response["Content-Security-Policy"].split(";"))
    return {name: sources for name, *sources in directives}


@pytest.mark.parametrize("path", ["/", "/runs/abc/", "/api/v1/runs/", "/administrator/", "/x/admin/"])
def test_scripts_and_styles_come_from_this_site_alone(path: str) -> None:
    sent = policy(path)

    assert sent["default-src"] == ["'none'"]
    assert sent["script-src"] == ["'self'"]
    assert sent["style-src"] == ["'self'"]
    assert sent["connect-src"] == ["'self'"]
    assert sent["frame-ancestors"] == ["'none'"]
    assert sent["img-src"] == ["'self'", "data:"]


def test_the_admin_may_compile_its_attributes_but_runs_no_inline_script() -> None:
    sent = policy("/admin/councils/")

    assert sent["script-src"] == ["'self'", "'unsafe-eval'"]
    assert sent["style-src"] == ["'self'", "'unsafe-inline'"]
    assert sent["frame-ancestors"] == ["'none'"]


def test_the_exception_of_the_admin_does_not_leak_into_later_pages() -> None:
    policy("/admin/")

    assert policy("/")["script-src"] == ["'self'"]


def test_a_view_may_still_tighten_its_own_policy_in_the_admin() -> None:
    @csp_update({"img-src": ["blob:"]})
    def page(request: HttpRequest) -> HttpResponse:
        return HttpResponse("page")

    response = sent_through(page, "/admin/")

    assert "script-src 'self';" in f"{response['Content-Security-Policy']};"


def test_the_other_protections_are_on(settings: Settings) -> None:
    assert settings.SECURE_CONTENT_TYPE_NOSNIFF
    assert settings.SECURE_CROSS_ORIGIN_OPENER_POLICY == "same-origin"
    assert settings.SECURE_REFERRER_POLICY == "same-origin"
    assert settings.X_FRAME_OPTIONS == "DENY"
    assert settings.SESSION_COOKIE_HTTPONLY


def test_every_middleware_that_is_named_exists(settings: Settings) -> None:
    assert all(import_string(name) for name in settings.MIDDLEWARE)
