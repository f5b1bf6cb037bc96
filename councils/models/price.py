"""What models cost, and have cost."""

from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.utils import timezone

from councils.models.provider import ModelInfo
from councils.models.user import User


class PriceSource(models.TextChoices):
    MANUAL = "manual", "Entered"
    LIST = "genai-prices", "From a public list"
    FREE = "free", "Marked as free"


class ModelPriceQuerySet(models.QuerySet["ModelPrice"]):
    def newest_of(self, model: ModelInfo) -> "ModelPrice | None":
        return self.filter(model=model).order_by("-valid_from", "-pk").first()


class ModelPrice(models.Model):
    """The price of a model from one moment on, USD per 1,000 tokens; ``None`` is unknown. Never changed: a new price is a new row.

    ``ModelInfo`` holds the price of now; a call keeps the prices that held when its run started. The names are those of the time; they say
    whose price it was once the model is deleted, which the history outlives.
    """

    model = models.ForeignKey(ModelInfo, on_delete=models.SET_NULL, null=True, blank=True, related_name="prices")
    model_name = models.CharField(max_length=200, blank=True, default="", db_default="")
    provider_name = models.CharField(max_length=100, blank=True, default="", db_default="")
    input_price = models.DecimalField(max_digits=14, decimal_places=8, null=True, blank=True)
    output_price = models.DecimalField(max_digits=14, decimal_places=8, null=True, blank=True)
    valid_from = models.DateTimeField(default=timezone.now)
    source = models.CharField(max_length=12, choices=PriceSource.choices)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    objects = ModelPriceQuerySet.as_manager()

    class Meta:
        ordering = ["-valid_from", "-pk"]
        verbose_name = "price"
        indexes = [models.Index(fields=["model", "-valid_from"], name="price_of_model")]
        constraints = [
            models.CheckConstraint(condition=Q(source__in=PriceSource.values), name="price_source_known"),
            models.CheckConstraint(condition=Q(input_price=None) | Q(input_price__gte=0), name="price_input_not_negative"),
            models.CheckConstraint(condition=Q(output_price=None) | Q(output_price__gte=0), name="price_output_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{_shown(self.input_price)} in, {_shown(self.output_price)} out"


def _shown(price: Decimal | None) -> str:
    return "unknown" if price is None else f"{price.normalize():f} USD"
