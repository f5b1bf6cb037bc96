"""The addresses under ``/api/``."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny
from rest_framework.routers import SimpleRouter

from councils.api.cache import CacheHealthView, CacheInvalidationView, CacheStatsView
from councils.api.judging import FeedbackView
from councils.api.lost import DocsView, NothingHere
from councils.api.runs import RunViewSet
from councils.api.serializers import PUBLIC_ID
from councils.api.tasks import TaskView
from councils.api.usage import UsageView
from councils.api.views import ConversationViewSet, CouncilViewSet, ModelViewSet

app_name = "api"

router = SimpleRouter()
router.register("councils", CouncilViewSet, "council")
router.register("models", ModelViewSet, "model")
router.register("conversations", ConversationViewSet, "conversation")
router.register("runs", RunViewSet, "run")

urlpatterns = [
    path("v1/usage/", UsageView.as_view(), name="usage"),
    path("v1/", include(router.urls)),
    re_path(rf"^v1/runs/(?P<public_id>{PUBLIC_ID})/feedback/$", FeedbackView.as_view(), name="run-feedback"),
    re_path(rf"^v1/tasks/(?P<task_id>{PUBLIC_ID})/$", TaskView.as_view(), name="task"),
    path("cache/health", CacheHealthView.as_view(), name="cache-health"),
    path("cache/stats", CacheStatsView.as_view(), name="cache-stats"),
    re_path(r"^cache/invalidate/(?P<kind>llm|mcp|intent)$", CacheInvalidationView.as_view(), name="cache-invalidate"),
    path("schema/", SpectacularAPIView.as_view(permission_classes=[AllowAny], authentication_classes=[]), name="schema"),
    path("docs/", DocsView.as_view(), name="docs"),
    re_path("", NothingHere.as_view(), name="nothing"),
]
