"""Roles that nobody has changed may see the lists of figures and of prices, which are new."""

from importlib import import_module
from typing import Any

from django.db import migrations

OLD = import_module("councils.migrations.0020_roles").ROLES
NEW = (("analytics", "modelanalytics"), ("analytics", "conversationanalytics"), ("councils", "modelprice"))


def widen(apps: Any, schema_editor: Any) -> None:
    for group in apps.get_model("auth", "Group").objects.filter(name__in=OLD):
        held = set(group.permissions.values_list("content_type__app_label", "codename"))
        if held == {("councils", f"{verb}_{model}") for verb, model in OLD[group.name]}:
            group.permissions.add(*(_permission(apps, *one) for one in NEW))


def _permission(apps: Any, app: str, model: str) -> Any:
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label=app, model=model)
    title = f"Can view {apps.get_model(app, model)._meta.verbose_name}"
    defaults = {"name": title}
    return apps.get_model("auth", "Permission").objects.get_or_create(content_type=kind, codename=f"view_{model}", defaults=defaults)[0]


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0002_usage"),
        ("councils", "0023_trials_once"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(widen, migrations.RunPython.noop)]
