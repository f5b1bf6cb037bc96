"""The last word on what leaves /api/."""

import json

import pytest
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import RequestFactory

from councils.api.middleware import ApiAnswersMiddleware


def leave(path: str, response: HttpResponseBase) -> HttpResponseBase:
    def site(_: HttpRequest) -> HttpResponseBase:
        return response

    return ApiAnswersMiddleware(site)(RequestFactory().get(path))


def content(response: HttpResponseBase) -> bytes:
    assert isinstance(response, HttpResponse)
    return response.content


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "bad_request", "Bad Request."),
        (403, "permission_denied", "Forbidden."),
        (404, "not_found", "Not Found."),
        (405, "method_not_allowed", "Method Not Allowed."),
        (413, "too_large", "Request Entity Too Large."),
        (418, "error", "I'm a Teapot."),
        (500, "internal_error", "Something went wrong on our side. It has been logged."),
    ],
)
def test_a_page_of_an_error_becomes_the_envelope(status: int, code: str, message: str) -> None:
    left = leave("/api/v1/runs/", HttpResponse("<h1>Traceback: secret</h1>", status=status))

    assert (left.status_code, left.headers["Content-Type"]) == (status, "application/json")
    assert json.loads(content(left)) == {"code": code, "message": message, "detail": {}, "request_id": ""}


def test_what_is_json_already_stays_as_it_is() -> None:
    left = leave("/api/v1/runs/", JsonResponse({"code": "mine"}, status=409))

    assert json.loads(content(left)) == {"code": "mine"}


def test_headers_of_the_inner_ones_stay_and_the_length_is_true() -> None:
    page = HttpResponseNotFound("<h1>Not found</h1>", headers={"Content-Length": "18", "X-Frame-Options": "DENY"})

    left = leave("/api/nothing", page)

    assert left.headers["X-Frame-Options"] == "DENY"
    assert left.headers["Content-Length"] == str(len(content(left)))


def test_pages_that_are_no_errors_stay_pages() -> None:
    assert content(leave("/api/docs/", HttpResponse("<h1>Docs</h1>"))) == b"<h1>Docs</h1>"


def test_a_choice_of_how_to_cache_stands() -> None:
    assert leave("/api/schema/", HttpResponse(headers={"Cache-Control": "max-age=60"})).headers["Cache-Control"] == "max-age=60"
    assert leave("/api/v1/runs/", HttpResponse()).headers["Cache-Control"] == "no-store"


def test_a_stream_is_let_through() -> None:
    stream = StreamingHttpResponse(iter([b"one", b"two"]), status=503)

    assert leave("/api/v1/runs/", stream) is stream


@pytest.mark.parametrize("path", ["/", "/admin/", "/apiary/", "/runs/api/"])
def test_other_pages_are_not_its_business(path: str) -> None:
    left = leave(path, HttpResponseNotFound("<h1>Not found</h1>"))

    assert content(left) == b"<h1>Not found</h1>"
    assert "Cache-Control" not in left.headers
