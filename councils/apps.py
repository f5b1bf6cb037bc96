"""The product's Django app."""

from django.apps import AppConfig

from councils import checks


class CouncilsConfig(AppConfig):
    name = "councils"
    verbose_name = "Councils"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        checks.register()
