"""Make a new site usable: an admin and a council that answers."""

import os
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from councils.services.configuration import ConfigurationRejected
from councils.services.first_run import Admin, Council, ensure_admin, ensure_council


class Command(BaseCommand):
    help = "Create the admin user and a first council from what the environment offers. Running it again changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            admin = ensure_admin(username=settings.ADMIN_USERNAME, password=settings.ADMIN_PASSWORD)
        except ValidationError as error:
            raise CommandError(f"ADMIN_USERNAME cannot be used. {' '.join(error.messages)}") from error
        try:
            council = ensure_council(environment=os.environ, local_port=settings.LOCAL_MODEL_PORT)
        except ConfigurationRejected as error:
            raise CommandError(f"The first council could not be made:\n{error}") from error
        for line in _lines(admin, council):
            self.stdout.write(line)


def _lines(admin: Admin, council: Council) -> list[str]:
    lines = [f"  Address   http://127.0.0.1:{settings.PORT}/  (admin: /admin/)", f"  Sign in   {admin.username}{_password(admin)}"]
    if council.name:
        lines.append(f"  Council   {council.name}: {', '.join(council.seats)} (on {', '.join(council.models)})")
    return [*lines, *(f"  Note      {note}" for note in council.notes)]


def _password(admin: Admin) -> str:
    if admin.password:
        return f", password {admin.password} (shown only now)"
    if admin.is_new:
        return ", with the password from ADMIN_PASSWORD"
    return f" (password as before; forgotten: .venv/bin/python manage.py changepassword {admin.username})"
