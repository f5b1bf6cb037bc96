"""Make a new site usable: an admin and a council that answers."""

import os
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from councils.acting import Acting, Door, acting
from councils.local_model import is_installed
from councils.services.configuration import ConfigurationRejected
from councils.services.first_run import Admin, Council, ensure_admin, ensure_council


class Command(BaseCommand):
    help = "Create the admin user and a first council from what the environment offers. Running it again changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        with acting(Acting(Door.COMMAND, "first_run")):
            self._set_up()

    def _set_up(self) -> None:
        try:
            admin = ensure_admin(username=settings.ADMIN_USERNAME, password=settings.ADMIN_PASSWORD)
        except ValidationError as error:
            raise CommandError(f"ADMIN_USERNAME cannot be used. {' '.join(error.messages)}") from error
        try:
            council = ensure_council(environment=os.environ, local_port=settings.LOCAL_MODEL_PORT, serves_local=_serves_local_model())
        except ConfigurationRejected as error:
            raise CommandError(f"The first council could not be made:\n{error}") from error
        for line in _lines(admin, council):
            self.stdout.write(line)


def _serves_local_model() -> bool:
    """Only ``serve`` with its engine keeps the small model's server."""
    return settings.RUN_ENGINE == "embedded" and is_installed()


def _address() -> str:
    """Where people find the site. In production it stands behind a proxy that speaks https."""
    if settings.LOCAL or not settings.ALLOWED_HOSTS or settings.ALLOWED_HOSTS[0] == "*":
        return f"http://127.0.0.1:{settings.PORT}/"
    return f"https://{settings.ALLOWED_HOSTS[0].removeprefix('.')}/"


def _lines(admin: Admin, council: Council) -> list[str]:
    lines = [f"  Address   {_address()}  (admin: /admin/)", f"  Sign in   {admin.username}{_password(admin)}"]
    if council.name:
        lines.append(f"  Council   {council.name}: {', '.join(council.seats)} (on {', '.join(council.models)})")
    return [*lines, *(f"  Note      {note}" for note in council.notes)]


def _password(admin: Admin) -> str:
    if admin.password:
        return f", password {admin.password} (shown only now)"
    if admin.is_new:
        return ", with the password from ADMIN_PASSWORD"
    manage = ".venv/bin/python manage.py" if settings.LOCAL else "manage.py"
    return f" (password as before; forgotten: {manage} changepassword {admin.username})"
