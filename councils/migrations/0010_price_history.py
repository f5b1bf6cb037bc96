"""The prices of today begin the history of each model; models on Ollama without a price are free from now on."""

from decimal import Decimal

from django.db import migrations
from django.db.models import Q

BOTH_UNKNOWN = Q(cost_per_1k_input_tokens=None, cost_per_1k_output_tokens=None)
FREE = (Decimal(0), Decimal(0))


def begin(apps, schema_editor):
    models, prices = apps.get_model("councils", "ModelInfo").objects, apps.get_model("councils", "ModelPrice")
    # A private address says nothing of the price: behind it may be a gateway to models that are paid for.
    own = models.filter(BOTH_UNKNOWN, provider__kind="ollama").values_list("pk", flat=True)
    models.filter(pk__in=list(own)).update(cost_per_1k_input_tokens=0, cost_per_1k_output_tokens=0)
    begun = set(prices.objects.values_list("model_id", flat=True))
    rows = models.exclude(BOTH_UNKNOWN).values_list("pk", "cost_per_1k_input_tokens", "cost_per_1k_output_tokens", "created_at")
    prices.objects.bulk_create(
        prices(
            model_id=pk, input_price=given, output_price=taken, valid_from=created, source="free" if (given, taken) == FREE else "manual"
        )
        for pk, given, taken, created in rows
        if pk not in begun
    )


class Migration(migrations.Migration):
    dependencies = [("councils", "0009_cache")]
    operations = [migrations.RunPython(begin, migrations.RunPython.noop)]
