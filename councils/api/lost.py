"""Addresses under ``/api/`` where nothing is, and the page that documents the others."""

from typing import Any

from django.urls import Resolver404, resolve
from django.views.generic import TemplateView
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView


class NothingHere(APIView):
    """The end of the list of addresses."""

    permission_classes = (AllowAny,)
    schema = None

    def initial(self, request: Request, *_: Any, **__: Any) -> None:
        """Whatever the method, whoever asks: there is nothing."""
        raise NotFound(f"There is nothing at this address.{_hint(request.path_info)}")


def _hint(path: str) -> str:
    if path.endswith("/"):
        return ""
    try:
        known = resolve(f"{path}/").url_name != "nothing"
    except Resolver404:
        return ""
    return f" Did you mean {path}/?" if known else ""


class DocsView(TemplateView):
    """Interactive documentation, from our own files alone."""

    template_name = "api/docs.html"
