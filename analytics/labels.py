"""What people call the models that figures name: a model is booked under the name that its provider knows."""

from collections.abc import Iterable, Mapping

from analytics.rollup import ModelName
from councils.models import ModelInfo


def labels_of(names: Iterable[ModelName]) -> Mapping[ModelName, str]:
    """The labels of those that have one. One query."""
    labelled = ModelInfo.objects.filter(name__in={name.model for name in names}).exclude(label="").order_by()
    rows = labelled.values_list("provider__name", "name", "label")
    return {ModelName(provider, model): label for provider, model, label in rows}
