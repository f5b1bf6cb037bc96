"""Prompt templates: a version is never changed, a new text is a new version."""

from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from councils.admin.base import ProductAdmin, display, register
from councils.admin.show import LINK, NOTHING, excerpt, link_to, link_to_list, text_block
from councils.admin.versions import BUILT_IN, CHANGE_COUNCILS, compare, is_first, names, template_named, use
from councils.engine.prompts import MEANINGS, PLACEHOLDERS
from councils.engine.types import Stage
from councils.models import CouncilRun, PromptStage, PromptTemplate, RunPrompt
from councils.services.prompting import councils_on_other_versions, councils_using, version_in, versions_of


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
            return (
                (None, {"fields": (("stage", "name"), "text", "placeholders")}),
                ("Built-in prompts", {"fields": ("built_in",), "description": "What councils use that have chosen no prompt."}),
            )
        use_it = (self._elsewhere_field(request), "new_version")
        return (
            (None, {"fields": (("stage", "name", "version"), "shown_text", "created_at")}),
            ("In use", {"fields": ("used_in", "asked_with", *use_it)}),
            ("All versions", {"fields": ("versions",)}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: PromptTemplate | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("placeholders", "built_in")
        return ("shown_text", "used_in", "asked_with", self._elsewhere_field(request), "new_version", "versions")

    def _elsewhere_field(self, request: HttpRequest) -> str:
        return "elsewhere_to_move" if request.user.has_perm(CHANGE_COUNCILS) else "elsewhere"

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        ours = [
            path("<int:pk>/use/", guarded(partial(use, self)), name="councils_prompttemplate_use"),
            path("<int:pk>/compare/", guarded(partial(compare, self)), name="councils_prompttemplate_compare"),
        ]
        return [*ours, *super().get_urls()]

    def response_add(self, request: HttpRequest, obj: PromptTemplate, post_url_continue: str | None = None) -> HttpResponse:
        """Stay on the new version's page while councils still use an earlier one: there it is put into use."""
        waiting = list(councils_on_other_versions(obj))
        if not waiting or "_popup" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        self.message_user(request, f"{obj} was added. An earlier version is still in use in {names(waiting)}.", messages.WARNING)
        return redirect("admin:councils_prompttemplate_change", obj.pk)

    def has_change_permission(self, request: HttpRequest, obj: PromptTemplate | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: PromptTemplate | None = None) -> bool:
        """What a run has asked with is part of its record."""
        asked = obj is not None and RunPrompt.objects.filter(template=obj).exists()
        return super().has_delete_permission(request, obj) and not asked

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Start from an earlier version, or from the built-in prompt of a stage, when one is named."""
        stage = request.GET.get("stage", "")
        if stage in BUILT_IN:
            return {"stage": stage, "text": BUILT_IN[stage]}
        template = template_named(request.GET.get("from"))
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
        return format_html('<a href="{}" class="{}">Write a new version from this one</a>', address, LINK)

    @display(description="placeholders")
    def placeholders(self, _template: PromptTemplate) -> SafeString:
        stages = [(PromptStage(stage.value).label, _placeholders_of(stage)) for stage in Stage]
        return format_html_join("", '<h3 class="built-in-title">{}</h3><dl class="placeholders">{}</dl>', stages)

    @display(description="built-in prompts")
    def built_in(self, _template: PromptTemplate) -> SafeString:
        add = reverse("admin:councils_prompttemplate_add")
        texts = [(PromptStage(stage).label, f"{add}?stage={stage}", text_block(text)) for stage, text in BUILT_IN.items()]
        one = f'<h3 class="built-in-title">{{}} · <a href="{{}}" class="{LINK}">Start from this text</a></h3>{{}}'
        return format_html_join("", one, texts)

    @display(description="in use in")
    def used_in(self, template: PromptTemplate) -> SafeString | str:
        links = format_html_join(", ", "{}", ((link_to(council),) for council in councils_using(template)))
        return links or "no council. Choose it in a council's form, under “What they are told”."

    @display(description="asked with")
    def asked_with(self, template: PromptTemplate) -> SafeString | str:
        count = RunPrompt.objects.filter(template=template).count()
        return link_to_list(CouncilRun, f"{count:,} run{'' if count == 1 else 's'}", prompts__id__exact=template.pk) if count else "no run"

    @display(description="versions")
    def versions(self, template: PromptTemplate) -> str:
        compare = reverse("admin:councils_prompttemplate_compare", args=[template.pk])
        runs = reverse("admin:councils_councilrun_changelist")
        context = {"shown": template, "versions": versions_of(template), "compare": compare, "runs": runs, "is_first": is_first(template)}
        return render_to_string("admin/councils/prompttemplate/_versions.html", context)

    @display(description="councils on other versions")
    def elsewhere(self, template: PromptTemplate) -> str:
        return names(councils_on_other_versions(template)) or NOTHING

    @display(description="councils on other versions")
    def elsewhere_to_move(self, template: PromptTemplate) -> SafeString | str:
        """Boxes and a button. The button sends the admin's own form, with its token, to another address."""
        columns = ("stage1_prompt_template", "stage2_prompt_template", "stage3_prompt_template")
        councils = list(councils_on_other_versions(template).select_related(*columns))
        if not councils:
            return NOTHING
        versions = [(council, version_in(council, template.stage)) for council in councils]
        lines = [(council.pk, council.name, before.version) for council, before in versions if before is not None]
        box = '<label class="version-council"><input type="checkbox" name="council" value="{}" checked> {} (on version {})</label>'
        back = all(before > template.version for _pk, _name, before in lines)
        button = format_html(
            '<button type="submit" class="version-use bg-primary-600 text-white" formaction="{}" formnovalidate>{} version {}…</button>',
            reverse("admin:councils_prompttemplate_use", args=[template.pk]),
            "Roll back to" if back else "Publish",
            template.version,
        )
        boxes = format_html_join("", box, lines)
        return format_html('<div class="version-move"><p>Use this version in:</p>{}{}</div>', boxes, button)


def _placeholders_of(stage: Stage) -> SafeString:
    known = PLACEHOLDERS[stage]
    words = [(name, "required" if name in known.required else "optional", MEANINGS[name]) for name in sorted(known.known)]
    return format_html_join("", "<dt><code>{{{}}}</code> <small>{}</small></dt><dd>{}</dd>", words)
