"""Addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, path

from councils.web import accounts, asking, conversations, runs, threads

urlpatterns: list[URLPattern | URLResolver] = [
    path("", asking.ask, name="ask"),
    path("sign-in/", accounts.SignIn.as_view(), name="login"),
    path("sign-out/", LogoutView.as_view(), name="logout"),
    path("sign-up/", accounts.sign_up, name="signup"),
    path("conversations/", conversations.conversation_list, name="conversations"),
    path("conversations/<str:public_id>/", threads.conversation, name="conversation"),
    path("runs/<str:public_id>/", runs.run, name="run"),
    path("runs/<str:public_id>/parts/<str:parts>/", runs.run_parts, name="run_parts"),
    path("runs/<str:public_id>/cancel/", runs.run_cancel, name="run_cancel"),
]
