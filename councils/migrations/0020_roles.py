"""The rights to test connections and to set prices, and three roles as groups. A group of the same name that is there already is left as it is."""

from typing import Any

from django.db import migrations

LOOK = "councilrun opinion review synthesis runstep runevent modelcall conversation message feedback answerpick modelinfo"
HEALTH = "healthrecord enginesign scheduledjob cachestatistic ratelimitlog"
ALL = ("view", "add", "change", "delete")


def may(verbs: tuple[str, ...], models: str) -> set[tuple[str, str]]:
    return {(verb, model) for verb in verbs for model in models.split()}


VIEWER = may(("view",), f"{LOOK} {HEALTH}")
OPERATOR = VIEWER | may(("view",), "provider budget ledgerentry cachedresponse")
OPERATOR |= {("change", "councilrun"), ("delete", "cachedresponse"), ("check", "provider")}
MANAGER = VIEWER | may(("view",), "provider budget modelprice trial")
MANAGER |= may(ALL, "councilconfiguration councilmember chairmanfallback councildraft questionset savedquestion modelinfo")
MANAGER |= may(("view", "add", "delete"), "prompttemplate") | {("add", "trial"), ("check", "provider")}
ROLES = {"Viewer": VIEWER, "Operator": OPERATOR, "Council manager": MANAGER}
NAMES = {"check": "Can test the connection of a provider"}


def make_roles(apps: Any, schema_editor: Any) -> None:
    """Permissions are made here where they are not there yet: Django makes them only after all migrations."""
    group_model, permission_model = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for name, rights in ROLES.items():
        group, is_new = group_model.objects.get_or_create(name=name)
        if is_new:
            group.permissions.set([_permission(apps, permission_model, *right) for right in sorted(rights)])


def _permission(apps: Any, permissions: Any, verb: str, model: str) -> Any:
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label="councils", model=model)
    title = NAMES.get(verb) or f"Can {verb} {apps.get_model('councils', model)._meta.verbose_name}"
    found, _ = permissions.objects.get_or_create(content_type=kind, codename=f"{verb}_{model}", defaults={"name": title})
    return found


class Migration(migrations.Migration):
    dependencies = [
        ("councils", "0019_cache_generation"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="provider",
            options={"ordering": ["name"], "permissions": [("check_provider", "Can test the connection of a provider")]},
        ),
        migrations.AlterModelOptions(
            name="modelinfo",
            options={
                "ordering": ["provider__name", "name"],
                "permissions": [("set_prices", "Can say what a model costs")],
                "verbose_name": "model",
            },
        ),
        migrations.RunPython(make_roles, migrations.RunPython.noop),
    ]
