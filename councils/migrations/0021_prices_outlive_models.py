"""The history of prices stays when a model is deleted, and says whose it was."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def enter_names(apps: Any, schema_editor: Any) -> None:
    found = apps.get_model("councils", "ModelInfo").objects.filter(pk=OuterRef("model_id"))
    names = {"model_name": Subquery(found.values("name")[:1]), "provider_name": Subquery(found.values("provider__name")[:1])}
    apps.get_model("councils", "ModelPrice").objects.filter(model_name="", model__isnull=False).update(**names)


class Migration(migrations.Migration):
    dependencies = [
        ("councils", "0020_roles"),
    ]

    operations = [
        migrations.AddField(
            model_name="modelprice",
            name="model_name",
            field=models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.AddField(
            model_name="modelprice",
            name="provider_name",
            field=models.CharField(blank=True, db_default="", default="", max_length=100),
        ),
        migrations.AlterField(
            model_name="modelprice",
            name="model",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="prices",
                to="councils.modelinfo",
            ),
        ),
        migrations.RunPython(enter_names, migrations.RunPython.noop),
    ]
