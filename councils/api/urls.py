"""The addresses under ``/api/``."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny
from rest_framework.routers import SimpleRouter

from councils.api.lost import DocsView, NothingHere
from councils.api.runs import RunViewSet
from councils.api.views import ConversationViewSet, CouncilViewSet, ModelViewSet

app_name = "api"

router = SimpleRouter()
router.register("councils", CouncilViewSet, "council")
router.register("models", ModelViewSet, "model")
router.register("conversations", ConversationViewSet, "conversation")
router.register("runs", RunViewSet, "run")

urlpatterns = [
    path("v1/", include(router.urls)),
    path("schema/", SpectacularAPIView.as_view(permission_classes=[AllowAny], authentication_classes=[]), name="schema"),
    path("docs/", DocsView.as_view(), name="docs"),
    re_path("", NothingHere.as_view(), name="nothing"),
]
