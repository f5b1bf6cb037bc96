"""Endpoints that serve models, and the models they serve."""

import os
from decimal import Decimal
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from councils.engine.types import StructuredMode
from councils.models.base import TimestampedModel
from councils.models.crypto import seal, unseal
from councils.models.options import OptionsField

# Names of environment variables that may hold a provider's key. Narrow on purpose: nobody should be able to send
# SECRET_KEY or DATABASE_URL to an address of their choice.
key_variable_validator = RegexValidator(
    r"\A[A-Z][A-Z0-9_]*_(API_KEY|API_TOKEN)\Z", "Name an environment variable that ends in _API_KEY or _API_TOKEN."
)


def key_from_environment(name: str) -> str:
    """The key in this environment variable, empty where there is none."""
    return os.environ.get(name, "") if name else ""


class ProviderKind(models.TextChoices):
    OPENAI = "openai", "OpenAI-compatible"
    OLLAMA = "ollama", "Ollama"
    ANTHROPIC = "anthropic", "Anthropic"


def validate_base_url(value: str) -> None:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        raise ValidationError("This is not a valid address.") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValidationError("Give a full address, for instance https://api.example.com/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValidationError("Leave out user name, password, query and fragment. The key has a field of its own.")


class ProviderQuerySet(models.QuerySet["Provider"]):
    def active(self) -> "ProviderQuerySet":
        return self.filter(is_active=True)

    def in_trouble(self) -> "ProviderQuerySet":
        """Active providers that refused us, newest first: staff must act, no retry helps."""
        return self.active().exclude(problem_at=None).order_by("-problem_at")

    def mark(self, pk: int, problem: str) -> None:
        """Tell staff that this provider refuses our key. ``updated_at`` stays: nobody edited it."""
        self.filter(pk=pk).update(problem=problem, problem_at=timezone.now())

    def clear(self, pk: int) -> None:
        """The provider takes our calls (again)."""
        self.filter(pk=pk).exclude(problem_at=None).update(problem="", problem_at=None)


class Provider(TimestampedModel):
    """An endpoint that serves models."""

    name = models.CharField(max_length=100, unique=True)
    slug = models.SlugField(max_length=60, unique=True, help_text="Short name used in configuration files and metrics.")
    kind = models.CharField(max_length=20, choices=ProviderKind.choices)
    base_url = models.CharField(
        "base address", max_length=500, validators=[validate_base_url], help_text="For instance https://api.openai.com/v1."
    )
    allow_private_address = models.BooleanField(
        default=False, help_text="Let the server contact this host although its address is private, for instance a model on this machine."
    )
    api_key_env = models.CharField(
        "key from environment",
        max_length=100,
        blank=True,
        validators=[key_variable_validator],
        help_text="Name of an environment variable.",
    )
    api_key_sealed = models.TextField(blank=True, editable=False)
    max_parallel_calls = models.PositiveIntegerField(
        default=32, validators=[MinValueValidator(1)], help_text="Calls that each server process may have open at once."
    )
    options = OptionsField(default=dict, blank=True, help_text="Dialect switches, see docs/configuration.md.")
    is_active = models.BooleanField(default=True)
    problem = models.TextField(blank=True, editable=False)
    problem_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ProviderQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        permissions = [("check_provider", "Can test the connection of a provider")]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=ProviderKind.values), name="provider_kind_known"),
            models.CheckConstraint(condition=Q(max_parallel_calls__gte=1), name="provider_max_parallel_positive"),
        ]

    def __str__(self) -> str:
        return self.name

    def set_api_key(self, plain: str) -> None:
        """Keep this key encrypted; the empty string forgets the stored one. The caller saves."""
        self.api_key_sealed = seal(plain.strip())

    def api_key(self) -> str:
        """The key to send: the stored one, else the one in the environment, else empty."""
        return unseal(self.api_key_sealed) or key_from_environment(self.api_key_env)

    @property
    def has_api_key(self) -> bool:
        return bool(self.api_key_sealed or (self.api_key_env and os.environ.get(self.api_key_env)))


class ProviderEndpoint(models.Model):
    """One more address of a provider, with the same key, models and options. The provider's own address is the first."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="endpoints")
    base_url = models.CharField("base address", max_length=500, validators=[validate_base_url])
    allow_private_address = models.BooleanField(
        default=False, help_text="Let the server contact this host although its address is private."
    )
    max_parallel_calls = models.PositiveIntegerField(
        default=32, validators=[MinValueValidator(1)], help_text="Calls that each server process may have open at once."
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["pk"]
        verbose_name = "endpoint"
        constraints = [
            models.UniqueConstraint(fields=["provider", "base_url"], name="endpoint_unique_per_provider"),
            models.CheckConstraint(condition=Q(max_parallel_calls__gte=1), name="endpoint_max_parallel_positive"),
        ]

    def __str__(self) -> str:
        return self.base_url


class ModelInfoQuerySet(models.QuerySet["ModelInfo"]):
    def usable(self) -> "ModelInfoQuerySet":
        """Models that can be asked now."""
        return self.filter(is_active=True, provider__is_active=True)

    def demote(self, pk: int, *, refused: StructuredMode, weaker: StructuredMode) -> None:
        """Remember that the provider refused this structured mode. Somebody else's change in between wins."""
        self.filter(pk=pk, structured_mode=refused.value).update(structured_mode=weaker.value)


# Dearer is a slip, a price per million tokens perhaps; sums of such prices do not fit where costs are kept.
MAX_PRICE_USD = Decimal(10_000)
PRICE_VALIDATORS = (
    MinValueValidator(Decimal(0)),
    MaxValueValidator(MAX_PRICE_USD, "No model costs more than 10,000 USD per 1,000 tokens. Is this a price per million?"),
)


class ModelInfo(TimestampedModel):
    """One model at a provider. Prices are USD per 1,000 tokens; empty means unknown, which is not zero."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="served_models")
    name = models.CharField("model name", max_length=200, help_text="The provider's own name for it.")
    label = models.CharField(max_length=100, blank=True, help_text="What people see. Empty: the model name.")
    context_window = models.PositiveIntegerField("context window (tokens)", null=True, blank=True)
    max_output_tokens = models.PositiveIntegerField(null=True, blank=True)
    cost_per_1k_input_tokens = models.DecimalField(
        "USD per 1,000 input tokens", max_digits=14, decimal_places=8, null=True, blank=True, validators=PRICE_VALIDATORS
    )
    cost_per_1k_output_tokens = models.DecimalField(
        "USD per 1,000 output tokens", max_digits=14, decimal_places=8, null=True, blank=True, validators=PRICE_VALIDATORS
    )
    structured_mode = models.CharField(
        "structured output",
        max_length=20,
        choices=[(m.value, m.value) for m in StructuredMode],
        default=StructuredMode.JSON_SCHEMA.value,
        help_text="The strongest way in which this model gives JSON. Lowered by itself when the provider refuses it.",
    )
    options = OptionsField(default=dict, blank=True, help_text="Switches of this model, see docs/configuration.md.")
    is_active = models.BooleanField(default=True)

    objects = ModelInfoQuerySet.as_manager()

    class Meta:
        ordering = ["provider__name", "name"]
        verbose_name = "model"
        permissions = [("set_prices", "Can say what a model costs")]
        constraints = [
            models.UniqueConstraint(fields=["provider", "name"], name="model_unique_per_provider"),
            models.CheckConstraint(
                condition=Q(cost_per_1k_input_tokens=None) | Q(cost_per_1k_input_tokens__gte=0), name="model_input_price_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(cost_per_1k_output_tokens=None) | Q(cost_per_1k_output_tokens__gte=0), name="model_output_price_not_negative"
            ),
            models.CheckConstraint(condition=Q(structured_mode__in=[m.value for m in StructuredMode]), name="model_structured_mode_known"),
        ]

    def __str__(self) -> str:
        return f"{self.display_name} · {self.provider.name}"

    @property
    def display_name(self) -> str:
        return self.label or self.name

    @property
    def has_prices(self) -> bool:
        return self.cost_per_1k_input_tokens is not None and self.cost_per_1k_output_tokens is not None
