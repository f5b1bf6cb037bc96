"""The product's Django app."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created

from councils import checks
from councils.telemetry import metrics, tracing


class CouncilsConfig(AppConfig):
    name = "councils"
    verbose_name = "Councils"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        checks.register()
        # Every connection is made by Django itself, at the first query of each thread: there is no other place to meet them all.
        connection_created.connect(metrics.watch_connection, dispatch_uid="councils.telemetry.metrics")
        tracing.set_up()
