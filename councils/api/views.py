"""Councils, models and conversations: parse, authorise, call a use case, present."""

from typing import Any

from django.db.models import Count, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from councils.api.base import StrictListMixin, asker_of, checked, paged, user_of
from councils.api.estimates import EstimateRequest, EstimateSerializer
from councils.api.pagination import PageQuery
from councils.api.runs import conversation_of, summaries
from councils.api.serializers import (
    PUBLIC_ID,
    ConversationChange,
    ConversationDetailSerializer,
    ConversationQuery,
    ConversationSerializer,
    CouncilSerializer,
    MessageSerializer,
    ModelSerializer,
)
from councils.models import Conversation, CouncilConfiguration, Message, ModelInfo
from councils.services.conversations import archive_conversation, delete_conversation, rename_conversation
from councils.services.quoting import quote_for

NESTED_AT_MOST = 50


class CouncilViewSet(StrictListMixin, RetrieveModelMixin, GenericViewSet[CouncilConfiguration]):
    """Councils that can be asked; staff also see those that are switched off."""

    queryset = CouncilConfiguration.objects.none()
    serializer_class = CouncilSerializer
    lookup_field = "slug"
    lookup_value_regex = r"[-a-zA-Z0-9_]+"

    def get_queryset(self) -> QuerySet[CouncilConfiguration]:
        return CouncilConfiguration.objects.visible_to(user_of(self.request)).with_details()

    @extend_schema(request=EstimateRequest, responses=EstimateSerializer)
    @action(detail=True, methods=["post"])
    def estimate(self, request: Request, **_: Any) -> Response:
        """What a question would cost, and whether your budgets can pay for it. Nothing is asked and nothing is held."""
        user, order = user_of(request), checked(EstimateRequest, request.data)
        quote = quote_for(
            by=asker_of(request),
            council=self.get_object(),
            question=order["question"],
            conversation=conversation_of(user, order.get("conversation")),
            member=order.get("member", ""),
        )
        return Response(EstimateSerializer(quote).data)


class ModelViewSet(StrictListMixin, RetrieveModelMixin, GenericViewSet[ModelInfo]):
    """Models that can be asked; staff also see those that are switched off. An id reads provider/name."""

    queryset = ModelInfo.objects.none()
    serializer_class = ModelSerializer
    lookup_url_kwarg = "id"
    # A model's own name may hold slashes and colons, but nothing invisible.
    lookup_value_regex = r"[-a-zA-Z0-9_]+/[^\x00-\x1f]+?"

    def get_queryset(self) -> QuerySet[ModelInfo]:
        models = ModelInfo.objects.all() if user_of(self.request).is_staff else ModelInfo.objects.usable()
        return models.select_related("provider")

    def get_object(self) -> ModelInfo:
        provider, _, name = self.kwargs["id"].partition("/")
        return get_object_or_404(self.get_queryset(), provider__slug=provider, name=name)


class ConversationViewSet(StrictListMixin, RetrieveModelMixin, GenericViewSet[Conversation]):
    """One's own conversations. A new one begins with a run."""

    queryset = Conversation.objects.none()
    query_serializer = ConversationQuery
    serializer_class = ConversationSerializer
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_regex = PUBLIC_ID

    def get_queryset(self) -> QuerySet[Conversation]:
        mine = Conversation.objects.visible_to(user_of(self.request)).select_related("council")
        if self.action == "list":
            return mine.filter(archived_at__isnull=not self.query["archived"])
        return mine

    @extend_schema(responses=ConversationDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        conversation = get_object_or_404(self.get_queryset().annotate(message_count=Count("messages")), public_id=kwargs["id"])
        newest = list(_messages(conversation).order_by("-pk")[:NESTED_AT_MOST])
        runs = summaries(user_of(request)).filter(conversation=conversation)[:NESTED_AT_MOST]
        context = {"messages": newest[::-1], "runs": runs}
        return Response(ConversationDetailSerializer(conversation, context=context).data)

    @extend_schema(request=ConversationChange, responses=ConversationSerializer)
    def partial_update(self, request: Request, **_: Any) -> Response:
        """Change the title, put it away or take it back."""
        conversation, change = self.get_object(), checked(ConversationChange, request.data)
        if "title" in change:
            rename_conversation(conversation=conversation, title=change["title"])
        if "archived" in change:
            archive_conversation(conversation=conversation, archived=change["archived"])
        return Response(ConversationSerializer(conversation).data)

    @extend_schema(responses={204: OpenApiResponse(description="It is gone; a run under way in it is cancelled.")})
    def destroy(self, request: Request, **_: Any) -> Response:
        """Delete it. A run under way in it is cancelled."""
        delete_conversation(conversation=self.get_object(), by=user_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(parameters=[PageQuery], responses=MessageSerializer(many=True))
    @action(detail=True)
    def messages(self, request: Request, **_: Any) -> Response:
        """All its messages, oldest first."""
        return paged(self, _messages(self.get_object()), MessageSerializer)


def _messages(conversation: Conversation) -> QuerySet[Message]:
    return conversation.messages.select_related("run").defer("run__config_snapshot", "run__sealed_keys", "run__answer")
