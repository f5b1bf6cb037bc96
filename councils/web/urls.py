"""Addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, path

from councils.web import accounts, appearance, asking, conversations, keeping, runs, threads

urlpatterns: list[URLPattern | URLResolver] = [
    path("", asking.ask, name="ask"),
    path("sign-in/", accounts.SignIn.as_view(), name="login"),
    path("sign-out/", LogoutView.as_view(), name="logout"),
    path("sign-up/", accounts.sign_up, name="signup"),
    path("theme/", appearance.choose_theme, name="theme"),
    path("conversations/", conversations.conversation_list, name="conversations"),
    path("conversations/<str:public_id>/", threads.conversation, name="conversation"),
    path("conversations/<str:public_id>/rename/", keeping.rename, name="conversation_rename"),
    path("conversations/<str:public_id>/archive/", keeping.archive, name="conversation_archive"),
    path("conversations/<str:public_id>/unarchive/", keeping.unarchive, name="conversation_unarchive"),
    path("conversations/<str:public_id>/delete/", keeping.delete, name="conversation_delete"),
    path("conversations/<str:public_id>/restore/", keeping.restore, name="conversation_restore"),
    path("runs/<str:public_id>/", runs.run, name="run"),
    path("runs/<str:public_id>/parts/<str:parts>/", runs.run_parts, name="run_parts"),
    path("runs/<str:public_id>/cancel/", runs.run_cancel, name="run_cancel"),
    path("runs/<str:public_id>/again/", runs.run_again, name="run_again"),
]
