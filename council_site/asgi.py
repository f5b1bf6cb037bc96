"""The ASGI application: pages over HTTP, the live view over WebSocket."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "council_site.settings")
django_application = get_asgi_application()

# Only now: consumers import models, which need the loaded app registry.
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter

from councils.origins import OriginValidator
from councils.routing import websocket_urlpatterns
from councils.web.sockets import SocketCounter

application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": OriginValidator(SocketCounter(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))),
    }
)
