import councils.models.council
import django.core.validators
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

LONGEST_RUN_S = 3_600


def fit_into_limits(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """A default council that cannot be asked is none, and no run may take longer than an hour."""
    councils = apps.get_model("councils", "CouncilConfiguration").objects
    councils.filter(is_default=True).exclude(is_active=True, archived_at=None).update(is_default=False)
    councils.filter(run_deadline_s__gt=LONGEST_RUN_S).update(run_deadline_s=LONGEST_RUN_S)
    councils.filter(run_deadline_s__lt=1).update(run_deadline_s=1)


class Migration(migrations.Migration):
    dependencies = [
        ("councils", "0002_reader_language"),
    ]

    operations = [
        migrations.RunPython(fit_into_limits, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="councilconfiguration",
            name="run_deadline_s",
            field=models.PositiveIntegerField(
                default=councils.models.council.default_run_deadline,
                validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(3600)],
                verbose_name="run deadline (s)",
            ),
        ),
        migrations.AddIndex(
            model_name="councilrun",
            index=models.Index(fields=["council", "-id"], name="run_of_council_recent"),
        ),
        migrations.AddConstraint(
            model_name="councilconfiguration",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_default", False), models.Q(("archived_at", None), ("is_active", True)), _connector="OR"),
                name="council_default_can_be_asked",
                violation_error_message="The default council cannot be switched off. Choose another one as default first.",
            ),
        ),
        migrations.AddConstraint(
            model_name="councilconfiguration",
            constraint=models.CheckConstraint(
                condition=models.Q(("run_deadline_s__range", (1, 3600))), name="council_run_deadline_bounded"
            ),
        ),
    ]
