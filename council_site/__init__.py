"""Wiring of the site: settings, URLs, ASGI and the Celery app. Nothing imports it."""

from council_site.celery import app as celery_app

__all__ = ["celery_app"]
