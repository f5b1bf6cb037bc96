"""The Celery app of the full installation. It only says "look": runs belong to the database."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "council_site.settings")

app = Celery("council_site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
