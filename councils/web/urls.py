"""Addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, path, register_converter

from councils.web import (
    accounts,
    appearance,
    asking,
    continuing,
    conversations,
    judging,
    keeping,
    language,
    metrics,
    preferences,
    runs,
    threads,
    usage,
)


class PublicId:
    """A public id as ``models.base`` makes them. Anything else is no address of ours, whatever a database would say to it."""

    regex = r"[a-z0-9]{26}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(PublicId, "public_id")

urlpatterns: list[URLPattern | URLResolver] = [
    path("", asking.ask, name="ask"),
    path("estimate/", asking.estimate, name="estimate"),
    path("sign-in/", accounts.SignIn.as_view(), name="login"),
    path("sign-out/", LogoutView.as_view(), name="logout"),
    path("sign-up/", accounts.sign_up, name="signup"),
    path("theme/", appearance.choose_theme, name="theme"),
    path("language/", language.choose_language, name="language"),
    path("settings/", preferences.settings_page, name="settings"),
    path("settings/password/", preferences.ChangePassword.as_view(), name="change_password"),
    path("usage/", usage.usage, name="usage"),
    path("favicon.ico", appearance.favicon, name="favicon"),
    path("metrics", metrics.metrics_page, name="metrics"),
    path("conversations/", conversations.conversation_list, name="conversations"),
    path("conversations/<public_id:public_id>/", threads.conversation, name="conversation"),
    path("conversations/<public_id:public_id>/rename/", keeping.rename, name="conversation_rename"),
    path("conversations/<public_id:public_id>/archive/", keeping.archive, name="conversation_archive"),
    path("conversations/<public_id:public_id>/unarchive/", keeping.unarchive, name="conversation_unarchive"),
    path("conversations/<public_id:public_id>/delete/", keeping.delete, name="conversation_delete"),
    path("conversations/<public_id:public_id>/restore/", keeping.restore, name="conversation_restore"),
    path("runs/<public_id:public_id>/", runs.run, name="run"),
    path("runs/<public_id:public_id>/parts/<str:parts>/", runs.run_parts, name="run_parts"),
    path("runs/<public_id:public_id>/cancel/", runs.run_cancel, name="run_cancel"),
    path("runs/<public_id:public_id>/retry/", continuing.go_on, {"way": "retry"}, name="run_retry"),
    path("runs/<public_id:public_id>/regenerate/", continuing.go_on, {"way": "regenerate"}, name="run_regenerate"),
    path("runs/<public_id:public_id>/again/", continuing.go_on, {"way": "again"}, name="run_again"),
    path("runs/<public_id:public_id>/pick/", judging.run_pick, name="run_pick"),
    path("runs/<public_id:public_id>/feedback/", judging.run_feedback, name="run_feedback"),
]
