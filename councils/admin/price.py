"""What models have cost, those too that are deleted by now."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from councils.admin.base import ReadOnlyAdmin, display, register
from councils.admin.show import link_to
from councils.formatting import exact_usd
from councils.models import ModelPrice


class DeletedFilter(SimpleListFilter):
    """Prices whose model is not set up any more, or is."""

    title = "model"
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("there", "Set up now"), ("gone", "Deleted")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ModelPrice]) -> QuerySet[ModelPrice]:
        chosen = {"there": False, "gone": True}.get(self.value() or "")
        return queryset if chosen is None else queryset.filter(model__isnull=chosen)


@register(ModelPrice)
class ModelPriceAdmin(ReadOnlyAdmin[ModelPrice]):
    list_display = ("valid_from", "name", "provider", "shown_input", "shown_output", "source", "by")
    list_filter = (DeletedFilter, "source")
    list_select_related = ("model__provider", "by")
    search_fields = ("model_name", "provider_name", "model__name", "model__label", "model__provider__name")
    search_help_text = "Words in the name of a model or of a provider, as they are or as they were."
    fields = ("valid_from", "name", "model_link", "provider", "shown_input", "shown_output", "source", "by")
    readonly_fields = fields

    @display(description="model", ordering="model_name")
    def name(self, price: ModelPrice) -> str:
        known = price.model_name or (price.model.name if price.model else "")
        return known if price.model else f"{known or 'a model'} (deleted)"

    @display(description="set up as")
    def model_link(self, price: ModelPrice) -> SafeString | str:
        return link_to(price.model)

    @display(description="provider", ordering="provider_name")
    def provider(self, price: ModelPrice) -> str:
        return price.provider_name or (price.model.provider.name if price.model else "")

    @display(description="1,000 tokens in", ordering="input_price")
    def shown_input(self, price: ModelPrice) -> str:
        return exact_usd(price.input_price)

    @display(description="1,000 tokens out", ordering="output_price")
    def shown_output(self, price: ModelPrice) -> str:
        return exact_usd(price.output_price)
