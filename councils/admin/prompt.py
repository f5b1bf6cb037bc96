"""Prompt templates: a version is never changed, a new text is a new version."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from councils.admin.base import ProductAdmin, display, register
from councils.admin.show import excerpt, text_block
from councils.engine.prompts import PLACEHOLDERS
from councils.engine.types import Stage
from councils.models import PromptTemplate

_FORMS = "; ".join(
    f"{stage.value}: "
    + ", ".join(
        f"{{{name}}}" + ("" if name in PLACEHOLDERS[stage].required else " (optional)") for name in sorted(PLACEHOLDERS[stage].known)
    )
    for stage in Stage
)


@register(PromptTemplate)
class PromptTemplateAdmin(ProductAdmin[PromptTemplate]):
    list_display = ("name", "stage", "version", "beginning", "created_at")
    list_filter = ("stage",)
    search_fields = ("name", "text")

    def get_fieldsets(self, request: HttpRequest, obj: PromptTemplate | None = None) -> Any:
        if obj is None:
            return ((None, {"fields": (("stage", "name"), "text"), "description": f"Placeholders of each stage. {_FORMS}."}),)
        return ((None, {"fields": (("stage", "name", "version"), "shown_text", "created_at", "new_version")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: PromptTemplate | None = None) -> tuple[str, ...]:
        return () if obj is None else ("shown_text", "new_version")

    def has_change_permission(self, request: HttpRequest, obj: PromptTemplate | None = None) -> bool:
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Start from an earlier version when one is named."""
        earlier = request.GET.get("from", "")
        template = PromptTemplate.objects.filter(pk=earlier).first() if earlier.isdecimal() and len(earlier) < 19 else None
        if template is None:
            return {}
        return {"stage": template.stage, "name": template.name, "text": template.text}

    def get_queryset(self, request: HttpRequest) -> QuerySet[PromptTemplate]:
        return super().get_queryset(request).order_by("stage", "name", "-version")

    @display(description="text")
    def beginning(self, template: PromptTemplate) -> str:
        return excerpt(template.text)

    @display(description="text")
    def shown_text(self, template: PromptTemplate) -> SafeString:
        return text_block(template.text)

    @display(description="change it")
    def new_version(self, template: PromptTemplate) -> SafeString:
        address = f"{reverse('admin:councils_prompttemplate_add')}?from={template.pk}"
        return format_html('<a href="{}" class="text-primary-600 dark:text-primary-500">Write a new version from this one</a>', address)
