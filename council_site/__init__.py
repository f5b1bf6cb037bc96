"""Wiring of the site: settings, URLs, ASGI and the Celery app. Nothing imports it."""
