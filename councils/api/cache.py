"""The cache, for staff: is it well, how good is it, forget this."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission, IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from councils.api.base import checked
from councils.api.fields import StrictSerializer
from councils.services.caching import cache_health, cache_stats, invalidate

MAY_CLEAR = "councils.delete_cachedresponse"


class CacheHealthSerializer(serializers.Serializer[Any]):
    """``degraded``: one tier is away and the other serves."""

    status = serializers.ChoiceField(choices=["ok", "degraded", "down", "disabled"])
    fast = serializers.BooleanField(help_text="Redis, or this process's memory.")
    database = serializers.BooleanField()


class KindStatsSerializer(serializers.Serializer[Any]):
    entries = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    requests = serializers.IntegerField(help_text="Of the last 30 days.")
    hits = serializers.IntegerField()
    hit_rate = serializers.FloatField(allow_null=True, help_text="0-1; null when nothing was looked for.")
    ttl_s = serializers.FloatField()


class CacheStatsSerializer(serializers.Serializer[Any]):
    size = serializers.IntegerField(help_text="Responses in the database.")
    size_bytes = serializers.IntegerField()
    requests = serializers.IntegerField()
    hit_rate = serializers.FloatField(allow_null=True)
    kinds = serializers.DictField(child=KindStatsSerializer())


class InvalidatedSerializer(serializers.Serializer[Any]):
    deleted_count = serializers.IntegerField()


class InvalidationQuery(StrictSerializer):
    """Which part of a kind. Without a model, all of it."""

    model = serializers.CharField(required=False, default="", max_length=200)


class CacheHealthView(APIView):
    """Whether both tiers answer now."""

    permission_classes = (IsAdminUser,)

    @extend_schema(responses=CacheHealthSerializer)
    def get(self, request: Request) -> Response:
        return Response(CacheHealthSerializer(cache_health()).data)


class CacheStatsView(APIView):
    """What is kept, and how often it was found. Counts lag by a few seconds."""

    permission_classes = (IsAdminUser,)

    @extend_schema(responses=CacheStatsSerializer)
    def get(self, request: Request) -> Response:
        kinds = cache_stats()
        requests, hits = (sum(getattr(stats, name) for stats in kinds.values()) for name in ("requests", "hits"))
        return Response(
            {
                "size": sum(stats.entries for stats in kinds.values()),
                "size_bytes": sum(stats.size_bytes for stats in kinds.values()),
                "requests": requests,
                "hit_rate": hits / requests if requests else None,
                "kinds": {kind: KindStatsSerializer(stats).data for kind, stats in kinds.items()},
            }
        )


class MayClear(BasePermission):
    """The right that the admin asks for: what is forgotten has to be paid again."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user and request.user.has_perm(MAY_CLEAR))


class CacheInvalidationView(APIView):
    """Forget a kind (``llm``, ``mcp``, ``intent``), or what one model answered."""

    permission_classes = (IsAdminUser, MayClear)

    @extend_schema(
        parameters=[OpenApiParameter("model", str, description="Only what this model answered, by the provider's name of it.")],
        responses=InvalidatedSerializer,
    )
    def delete(self, request: Request, kind: str) -> Response:
        query = checked(InvalidationQuery, request.query_params.dict())
        return Response({"deleted_count": invalidate(kind=kind, model_name=query["model"])})
