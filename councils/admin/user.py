"""People, groups and the keys of their programs."""

import secrets
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache

from councils.admin.base import (
    AdminPasswordChangeForm,
    ProductAdmin,
    action,
    display,
    register,
    signed_in,
    unregister,
)
from councils.admin.pages import page
from councils.admin.person_form import NewPersonForm, PersonForm
from councils.admin.show import NOTHING, link_to, link_to_list, moment
from councils.models import ApiKey, Budget, CouncilRun, User
from councils.models.crypto import seal, unseal
from councils.services.auditing import audited
from councils.services.keys import revoke_key

# Whoever may give these away could give them to themselves.
SUPERUSER_FIELDS = ("is_staff", "is_superuser", "groups", "user_permissions")
ISSUED = "issued_text"
ISSUED_FIELDS = ("prefix", "state", "last_question", "created_at", "expires_at", "revoked_at")


@register(User)
class UserAdmin(DjangoUserAdmin[User], ProductAdmin[User]):
    form = PersonForm
    add_form = NewPersonForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "roles", "standing", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active", "groups")
    filter_horizontal = ("user_permissions",)
    add_fieldsets = ((None, {"fields": ("username", "password1", "password2")}),)
    actions = ("deactivate",)
    fieldsets = (
        (None, {"fields": (("username", "password"), ("first_name", "last_name"), "email")}),
        ("What they may do", {"fields": ("is_active", "is_staff", "groups", "is_superuser")}),
        ("Money and use", {"fields": ("budget_list", "use")}),
        ("Single rights", {"fields": ("user_permissions",), "classes": ("collapse",)}),
        ("Times", {"fields": (("last_login", "date_joined"),)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        fixed = ("last_login", "date_joined", "budget_list", "use")
        return fixed if request.user.is_superuser else (*fixed, *SUPERUSER_FIELDS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may_touch(request, obj)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Who has asked stays; switching off is offered instead."""
        person = self.get_object(request, unquote(object_id))
        if person is None or not self.has_delete_permission(request, person) or not person.runs.exists():
            return super().delete_view(request, object_id, extra_context)
        offered = person.is_active and person != request.user and self.has_change_permission(request, person)
        title = f"{person} cannot be deleted"
        return page(self, request, "user/keep.html", title, person=person, may_switch_off=offered, checkbox=ACTION_CHECKBOX_NAME)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Of many chosen, those who have asked are named, and nobody is deleted. All that they have asked is not read for that."""
        asked = CouncilRun.objects.filter(owner=OuterRef("pk"))
        kept = User.objects.filter(Exists(asked), pk__in=[person.pk for person in objs]).order_by("username")
        protected = [format_html("{}, who has asked councils. Choose “Switch off” instead.", link_to(person)) for person in kept]
        return ([], {}, set(), protected) if protected else super().get_deleted_objects(objs, request)

    def _may_touch(self, request: HttpRequest, user: User | None) -> bool:
        """Changing the e-mail or password of somebody above you would be a way up."""
        return bool(request.user.is_superuser or user is None or user == request.user or not (user.is_staff or user.is_superuser))

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:  # noqa: A002 - Django's name
        person = self.get_object(request, unquote(id))
        with audited([] if person is None else [person]):
            return super().user_change_password(request, id, form_url)

    @display(description="roles")
    def roles(self, person: User) -> str:
        return ", ".join(group.name for group in person.groups.all()) or NOTHING

    @display(description="standing", ordering="is_staff", label={"superuser": "warning", "staff": "info", "switched off": "danger"})
    def standing(self, person: User) -> str:
        if not person.is_active:
            return "switched off"
        return "superuser" if person.is_superuser else "staff" if person.is_staff else "user"

    @display(description="budgets")
    def budget_list(self, person: User) -> SafeString | str:
        """Those that are for this person; others may hold for everybody."""
        if not person.pk:
            return NOTHING
        own = list(person.budgets.order_by("period"))
        if not own:
            return format_html("None of their own. {}", link_to_list(Budget, "All budgets"))
        return format_html_join(" · ", "{}", ((link_to(budget),) for budget in own))

    @display(description="use")
    def use(self, person: User) -> SafeString | str:
        if not person.pk:
            return NOTHING
        runs = link_to_list(CouncilRun, "Runs", owner__id__exact=person.pk)
        return format_html("{} · {}", runs, link_to_list(ApiKey, "API keys", user__id__exact=person.pk))

    @action(description="Switch off", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        chosen = queryset.exclude(pk=signed_in(request).pk)
        if not request.user.is_superuser:
            chosen = chosen.filter(is_staff=False, is_superuser=False)
        self.message_user(request, f"{chosen.update(is_active=False)} switched off. They cannot sign in, and their API keys stop working.")


unregister(Group)


@register(Group)
class GroupAdmin(DjangoGroupAdmin, ProductAdmin[Group]):
    """Django's own, in the admin's looks."""

    def _superuser(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return self._superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return self._superuser(request)


def _session_key(name: str) -> str:
    return f"issued_api_key:{name}"


@register(ApiKey)
class ApiKeyAdmin(ProductAdmin[ApiKey]):
    """A key is shown once, when it is made. Afterwards it can only be revoked."""

    list_display = ("name", "user", "prefix", "state", "last_question", "created_at", "expires_at")
    list_filter = ("created_at", "revoked_at")
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__username")
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        newest = CouncilRun.objects.filter(api_key=OuterRef("pk")).order_by("-pk").values("created_at")[:1]
        return ApiKey.objects.visible_to(signed_in(request)).annotate(asked_at=Subquery(newest)).order_by("-created_at")

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return ("user", "name", "expires_at") if obj is None else ("user", "name", *ISSUED_FIELDS)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return () if obj is None else ("user", *ISSUED_FIELDS)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "user":
            everybody = User.objects.filter(is_active=True)
            # A key acts in the name of its user: only superusers make keys for others.
            kwargs["queryset"] = everybody if request.user.is_superuser else everybody.filter(pk=signed_in(request).pk)
            kwargs["initial"] = request.user.pk
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        key, text = ApiKey.issue(user=obj.user, name=obj.name)
        ApiKey.objects.filter(pk=key.pk).update(expires_at=obj.expires_at)
        obj.pk = key.pk
        obj.refresh_from_db()
        # Kept on the object, not in a message, which would travel in a cookie.
        vars(obj)[ISSUED] = text

    def get_urls(self) -> list[URLPattern]:
        shown = path("issued/<str:name>/", self.admin_site.admin_view(self.issued), name="councils_apikey_issued")
        return [shown, *super().get_urls()]

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """Lead on to the page that shows the key, so that a reload does not make another one."""
        name = secrets.token_urlsafe(16)
        # Encrypted, because the session lies in the database.
        request.session[_session_key(name)] = {"key": obj.pk, "text": seal(vars(obj)[ISSUED])}
        return redirect("admin:councils_apikey_issued", name)

    @method_decorator(never_cache)
    def issued(self, request: HttpRequest, name: str) -> HttpResponse:
        """The new key, for one showing: the session forgets it now."""
        kept = request.session.pop(_session_key(name), None)
        key = self.get_queryset(request).filter(pk=kept["key"]).first() if kept else None
        text = unseal(kept["text"]) if kept and key else ""
        context = {**self.admin_site.each_context(request), "title": "API key", "key": key, "text": text, "opts": self.opts}
        return TemplateResponse(request, "admin/councils/apikey/issued.html", context)

    @display(description="last question")
    def last_question(self, key: ApiKey) -> str:
        """When a council was last asked with it."""
        return moment(vars(key).get("asked_at"))

    @display(description="state", label={"usable": "success", "expired": "warning", "revoked": "danger"})
    def state(self, key: ApiKey) -> str:
        if key.revoked_at:
            return "revoked"
        return "expired" if key.expires_at and key.expires_at <= timezone.now() else "usable"

    @action(description="Revoke…", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        """Ask first: programs stop."""
        keys = list(queryset.filter(revoked_at=None))
        if keys and "confirmed" not in request.POST:
            return page(self, request, "apikey/revoke.html", "Revoke API keys", keys=keys, checkbox=ACTION_CHECKBOX_NAME)
        revoked = sum(revoke_key(key=key) for key in keys)
        self.message_user(request, f"{revoked} revoked. Programs that use them are refused from now on.")
        return None
