"""The WSGI application, for servers without sockets. The live view needs ASGI."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "council_site.settings")
application = get_wsgi_application()
