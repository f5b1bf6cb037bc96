"""How the machine, the providers and the models are: for staff, and on one's own machine for whoever sits there."""

from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from councils.models import HealthState, ProviderKind
from councils.models.health import BAD
from councils.services import vitals

STATES = HealthState.values
STATUSES = ["ok", "degraded", "unknown"]


class StaffOrThisMachine(BasePermission):
    """Staff, by session or key; in the local profile also requests that come from this very machine, and not through a proxy."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_staff", False)) or _from_here(request)


def _from_here(request: Request) -> bool:
    if not settings.LOCAL or settings.TRUSTED_PROXY_COUNT or "HTTP_X_FORWARDED_FOR" in request.META:
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


class CpuSerializer(Serializer[Any]):
    percent = serializers.FloatField()
    count = serializers.IntegerField()
    load_average = serializers.ListField(child=serializers.FloatField(), help_text="Over 1, 5 and 15 minutes.")


class MemorySerializer(Serializer[Any]):
    total = serializers.IntegerField(help_text="Bytes.")
    available = serializers.IntegerField(help_text="Bytes.")
    percent = serializers.FloatField()


class DiskSerializer(Serializer[Any]):
    total = serializers.IntegerField(help_text="Bytes.")
    free = serializers.IntegerField(help_text="Bytes.")
    percent = serializers.FloatField()


class ProcessSerializer(Serializer[Any]):
    memory = serializers.IntegerField(help_text="Bytes that are resident.")
    threads = serializers.IntegerField()
    uptime_s = serializers.IntegerField()


class EngineSerializer(Serializer[Any]):
    worker = serializers.CharField()
    kind = serializers.CharField()
    started_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField()
    runs = serializers.IntegerField(help_text="Runs that it drives now.")


class SystemHealthSerializer(Serializer[Any]):
    """The machine that answers, and the engines that have signed lately, wherever they run."""

    cpu = CpuSerializer()
    memory = MemorySerializer()
    disk = DiskSerializer()
    process = ProcessSerializer()
    engines = EngineSerializer(many=True)


class AddressHealthSerializer(Serializer[vitals.AddressHealth]):
    """An address of a provider, as the last check found it."""

    provider = serializers.CharField()
    base_url = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES)
    since = serializers.DateTimeField(help_text="Since when every check has found this state.")
    checked_at = serializers.DateTimeField()
    latency_ms = serializers.IntegerField(allow_null=True)
    problem = serializers.CharField()


class ModelHealthSerializer(Serializer[vitals.ModelHealth]):
    """A model, as the last check found it."""

    provider = serializers.CharField()
    model = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES)
    since = serializers.DateTimeField(help_text="Since when every check has found this state.")
    checked_at = serializers.DateTimeField()
    latency_ms = serializers.IntegerField(allow_null=True)
    problem = serializers.CharField()


class ProvidersHealthSerializer(Serializer[Any]):
    """What the last checks found: ``ok``, ``degraded`` where anything fails or is missing, ``unknown`` before the first check."""

    status = serializers.ChoiceField(choices=STATUSES)
    addresses = AddressHealthSerializer(many=True)
    models = ModelHealthSerializer(many=True)


class DetailView(APIView):
    """Details are nobody's business but staff's."""

    permission_classes = [StaffOrThisMachine]

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        return response


class SystemHealthView(DetailView):
    """The machine."""

    @extend_schema(responses=SystemHealthSerializer, operation_id="health_system")
    def get(self, request: Request) -> Response:
        """Processor, memory and disk of the machine that answers, and the engines that run."""
        return Response(SystemHealthSerializer({**vitals.system(), "engines": vitals.engines()}).data)


class ModelsHealthView(DetailView):
    """All providers and models."""

    kind: ProviderKind | None = None

    @extend_schema(responses=ProvidersHealthSerializer, operation_id="health_models")
    def get(self, request: Request) -> Response:
        """What the last health check found of all active providers and models. Asks nobody."""
        return self._found()

    def _found(self) -> Response:
        addresses, models = vitals.addresses(self.kind), vitals.models(self.kind)
        states = {row.state for row in addresses} | {row.state for row in models}
        status = "unknown" if not states else "degraded" if states & set(BAD) else "ok"
        return Response(ProvidersHealthSerializer({"status": status, "addresses": addresses, "models": models}).data)


class OllamaHealthView(ModelsHealthView):
    """Ollama servers and their models."""

    kind = ProviderKind.OLLAMA

    @extend_schema(responses=ProvidersHealthSerializer, operation_id="health_ollama")
    def get(self, request: Request) -> Response:
        """What the last health check found of Ollama servers and their models. Asks nobody."""
        return self._found()


urlpatterns = [
    path("system", SystemHealthView.as_view(), name="health-system"),
    path("ollama", OllamaHealthView.as_view(), name="health-ollama"),
    path("models", ModelsHealthView.as_view(), name="health-models"),
]
