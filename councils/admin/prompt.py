"""Prompt templates: a version is never changed, a new text is a new version."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from councils.admin.base import ProductAdmin, display, register
from councils.admin.show import NOTHING, excerpt, link_to, text_block
from councils.engine.prompts import DEFAULT_PROMPTS, PLACEHOLDERS
from councils.engine.types import Stage
from councils.models import CouncilConfiguration, PromptStage, PromptTemplate
from councils.services.prompting import councils_on_other_versions, councils_using, use_version

BUILT_IN: Mapping[str, str] = {
    PromptStage.OPINIONS: DEFAULT_PROMPTS.opinion,
    PromptStage.REVIEW: DEFAULT_PROMPTS.review,
    PromptStage.SYNTHESIS: DEFAULT_PROMPTS.synthesis,
}

_FORMS = "; ".join(
    f"{stage.value}: "
    + ", ".join(f"{{{name}}} ({word})" for word in ("required", "optional") for name in sorted(getattr(PLACEHOLDERS[stage], word)))
    for stage in Stage
)

CHANGE_COUNCILS = "councils.change_councilconfiguration"


def _names(councils: Iterable[CouncilConfiguration]) -> str:
    return ", ".join(council.name for council in councils)


class PromptForm(ModelForm[PromptTemplate]):
    """A new version says something new."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        newest = PromptTemplate.objects.latest_of(cleaned.get("stage", ""), cleaned.get("name", ""))
        if newest is not None and newest.text == cleaned.get("text"):
            raise ValidationError(f"This is word for word what version {newest.version} says. Nothing was saved.")
        return cleaned


@register(PromptTemplate)
class PromptTemplateAdmin(ProductAdmin[PromptTemplate]):
    form = PromptForm
    list_display = ("name", "stage", "version", "beginning", "created_at")
    list_filter = ("stage",)
    search_fields = ("name", "text")

    def get_fieldsets(self, request: HttpRequest, obj: PromptTemplate | None = None) -> Any:
        if obj is None:
            placeholders = f"Placeholders of each stage. {_FORMS}."
            return (
                (None, {"fields": (("stage", "name"), "text"), "description": placeholders}),
                ("Built-in prompts", {"fields": ("built_in",), "description": "What councils use that have chosen no prompt."}),
            )
        elsewhere = self._elsewhere_field(request)
        return ((None, {"fields": (("stage", "name", "version"), "shown_text", "created_at", "used_in", elsewhere, "new_version")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: PromptTemplate | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("built_in",)
        return ("shown_text", "used_in", self._elsewhere_field(request), "new_version")

    def _elsewhere_field(self, request: HttpRequest) -> str:
        return "elsewhere_to_move" if request.user.has_perm(CHANGE_COUNCILS) else "elsewhere"

    def get_urls(self) -> list[URLPattern]:
        use = path("<int:pk>/use/", self.admin_site.admin_view(self.use), name="councils_prompttemplate_use")
        return [use, *super().get_urls()]

    def use(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Put a version into use in the councils that were ticked on its page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(CHANGE_COUNCILS):
            raise PermissionDenied
        template = get_object_or_404(PromptTemplate, pk=pk)
        ids = [int(text) for text in request.POST.getlist("council") if text.isdecimal() and len(text) < 19]
        moved = use_version(template=template, council_ids=ids)
        if moved:
            self.log_change(request, template, f"Put into use in {_names(moved)}.")
            self.message_user(request, f"Version {template.version} is now in use in {_names(moved)}. This counts from the next run on.")
        else:
            self.message_user(request, "Nothing changed: no council was chosen that uses another version.", messages.WARNING)
        return redirect("admin:councils_prompttemplate_change", template.pk)

    def response_add(self, request: HttpRequest, obj: PromptTemplate, post_url_continue: str | None = None) -> HttpResponse:
        """Stay on the new version's page while councils still use an earlier one: there it is put into use."""
        waiting = list(councils_on_other_versions(obj))
        if not waiting or "_popup" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        self.message_user(request, f"{obj} was added. An earlier version is still in use in {_names(waiting)}.", messages.WARNING)
        return redirect("admin:councils_prompttemplate_change", obj.pk)

    def has_change_permission(self, request: HttpRequest, obj: PromptTemplate | None = None) -> bool:
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Start from an earlier version, or from the built-in prompt of a stage, when one is named."""
        stage = request.GET.get("stage", "")
        if stage in BUILT_IN:
            return {"stage": stage, "text": BUILT_IN[stage]}
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

    @display(description="built-in prompts")
    def built_in(self, _template: PromptTemplate) -> SafeString:
        add = reverse("admin:councils_prompttemplate_add")
        texts = [(PromptStage(stage).label, f"{add}?stage={stage}", text_block(text)) for stage, text in BUILT_IN.items()]
        one = '<h3 class="built-in-title">{} · <a href="{}" class="text-primary-600 dark:text-primary-500">Start from this text</a></h3>{}'
        return format_html_join("", one, texts)

    @display(description="in use in")
    def used_in(self, template: PromptTemplate) -> SafeString | str:
        links = format_html_join(", ", "{}", ((link_to(council),) for council in councils_using(template)))
        return links or "no council. Choose it in a council's form, under Prompts."

    @display(description="councils on other versions")
    def elsewhere(self, template: PromptTemplate) -> str:
        return _names(councils_on_other_versions(template)) or NOTHING

    @display(description="councils on other versions")
    def elsewhere_to_move(self, template: PromptTemplate) -> SafeString | str:
        """Boxes and a button. The button sends the admin's own form, with its token, to another address."""
        councils = list(councils_on_other_versions(template))
        if not councils:
            return NOTHING
        box = '<label class="version-council"><input type="checkbox" name="council" value="{}" checked> {}</label>'
        boxes = format_html_join("", box, ((council.pk, council.name) for council in councils))
        button = format_html(
            '<button type="submit" class="version-use bg-primary-600 text-white" formaction="{}" formnovalidate>Use version {}</button>',
            reverse("admin:councils_prompttemplate_use", args=[template.pk]),
            template.version,
        )
        return format_html('<div class="version-move"><p>Use this version in:</p>{}{}</div>', boxes, button)
