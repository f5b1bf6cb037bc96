"""The live view's address."""

from typing import Any, cast

from django.urls import path

from councils.consumers import RunConsumer

# Django's types know views only; Channels routes ASGI applications with the same function.
websocket_urlpatterns: list[Any] = [path("ws/", cast("Any", RunConsumer.as_asgi()))]
