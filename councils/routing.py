"""The live view's address."""

from django.urls import path

from councils.consumers import RunConsumer

websocket_urlpatterns = [path("ws/", RunConsumer.as_asgi())]
