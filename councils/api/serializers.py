"""Councils, models and conversations as the API shows them, and what it takes in."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from councils.api import choices
from councils.api.fields import FlagField, StrictSerializer, TextField
from councils.api.pagination import PageQuery
from councils.api.records import RunSummarySerializer, Serializer
from councils.models import Conversation, ConversationType, CouncilConfiguration, MessageRole, ModelInfo, ProviderKind
from councils.models.base import PUBLIC_ID_LENGTH
from councils.services.standing import problem_of

PUBLIC_ID = rf"[a-z2-7]{{{PUBLIC_ID_LENGTH}}}"
MAX_SEQ = 2_147_483_647


class ModelSerializer(Serializer):
    """A model at a provider. Prices in USD per 1,000 tokens; null is unknown."""

    id = serializers.SerializerMethodField(help_text="provider/name")
    name = serializers.CharField()
    display_name = serializers.CharField(help_text="What people see.")
    provider = serializers.CharField(source="provider.slug")
    provider_name = serializers.CharField(source="provider.name")
    kind = serializers.ChoiceField(source="provider.kind", choices=ProviderKind.values)
    context_window = serializers.IntegerField(allow_null=True)
    max_output_tokens = serializers.IntegerField(allow_null=True)
    cost_per_1k_input_tokens = serializers.DecimalField(max_digits=14, decimal_places=8, allow_null=True)
    cost_per_1k_output_tokens = serializers.DecimalField(max_digits=14, decimal_places=8, allow_null=True)
    structured_mode = serializers.ChoiceField(choices=choices.STRUCTURED_MODES)
    can_be_asked = serializers.SerializerMethodField()

    def get_id(self, model: ModelInfo) -> str:
        return model_id(model)

    def get_can_be_asked(self, model: ModelInfo) -> bool:
        return model.is_active and model.provider.is_active


def model_id(model: ModelInfo) -> str:
    return f"{model.provider.slug}/{model.name}"


@extend_schema_field(str)
class ModelIdField(serializers.Field[ModelInfo, Any, str, Any]):
    """The id under which a model is found at ``/models/``."""

    def to_representation(self, value: ModelInfo) -> str:
        return model_id(value)


class MemberSerializer(Serializer):
    """A seat of a council."""

    agent_id = serializers.CharField()
    name = serializers.CharField()
    model = ModelIdField()
    fallback_model = ModelIdField(allow_null=True)
    persona = serializers.CharField()
    temperature = serializers.FloatField(allow_null=True)
    max_tokens = serializers.IntegerField(allow_null=True)
    weight = serializers.FloatField()
    answers = serializers.BooleanField()
    reviews = serializers.BooleanField()


class CouncilSerializer(Serializer):
    """A council as the next run would use it."""

    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    is_default = serializers.BooleanField()
    can_be_asked = serializers.SerializerMethodField()
    problem = serializers.SerializerMethodField(help_text="Why it cannot be asked; empty when it can.")
    enable_peer_review = serializers.BooleanField()
    peer_review_anonymous = serializers.BooleanField()
    voting_system = serializers.ChoiceField(choices=choices.VOTING_SYSTEMS)
    extra_round = serializers.BooleanField()
    chairman_mode = serializers.ChoiceField(choices=choices.CHAIRMAN_MODES)
    chairman_model = ModelIdField()
    chairman_fallbacks = serializers.SerializerMethodField()
    min_models = serializers.IntegerField()
    quorum = serializers.IntegerField()
    seats = MemberSerializer(many=True, source="members")

    def get_can_be_asked(self, council: CouncilConfiguration) -> bool:
        return not problem_of(council)

    def get_problem(self, council: CouncilConfiguration) -> str:
        return problem_of(council)

    def get_chairman_fallbacks(self, council: CouncilConfiguration) -> list[str]:
        return [model_id(fallback.model) for fallback in council.chairman_fallbacks.all()]


class MessageSerializer(Serializer):
    """One turn. An assistant's message is the final answer of ``run``."""

    id = serializers.CharField(source="public_id")
    role = serializers.ChoiceField(choices=MessageRole.values)
    text = serializers.CharField()
    run = serializers.CharField(source="run.public_id", default=None, allow_null=True)
    created_at = serializers.DateTimeField()


class ConversationSerializer(Serializer):
    """A thread of questions and answers."""

    id = serializers.CharField(source="public_id")
    url = serializers.SerializerMethodField()
    title = serializers.CharField()
    type = serializers.ChoiceField(choices=ConversationType.values)
    council = serializers.CharField(source="council.slug", default=None, allow_null=True)
    archived = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_url(self, conversation: Conversation) -> str:
        return reverse("api:conversation-detail", args=[conversation.public_id])

    def get_archived(self, conversation: Conversation) -> bool:
        return conversation.archived_at is not None


class ConversationDetailSerializer(ConversationSerializer):
    """A thread with its newest messages, oldest first, and its newest runs, newest first."""

    message_count = serializers.IntegerField()
    messages = serializers.SerializerMethodField(help_text="The newest 50; all of them are at …/messages/.")
    runs = serializers.SerializerMethodField(help_text="The newest 50; all of them are at /runs/?conversation=….")

    @extend_schema_field(MessageSerializer(many=True))
    def get_messages(self, _: Conversation) -> Any:
        return MessageSerializer(self.context["messages"], many=True).data

    @extend_schema_field(RunSummarySerializer(many=True))
    def get_runs(self, _: Conversation) -> Any:
        return RunSummarySerializer(self.context["runs"], many=True).data


class ConversationChange(StrictSerializer):
    """What an owner may change; what is left out stays."""

    title = TextField(required=False, max_length=200)
    archived = FlagField(required=False)


class ConversationQuery(PageQuery):
    archived = serializers.BooleanField(required=False, allow_null=True, default=False, help_text="true: only those put away.")


class RunQuery(PageQuery):
    status = serializers.ChoiceField(choices=choices.RUN_STATUSES, required=False)
    conversation = serializers.RegexField(rf"\A{PUBLIC_ID}\Z", required=False)


class RunRequest(StrictSerializer):
    """A question for a council."""

    question = TextField(allow_blank=True)
    council = TextField(required=False, max_length=60, help_text="Slug. Left out: the conversation's council, else the default one.")
    member = TextField(required=False, max_length=32, help_text="Agent id of a seat that answers alone. Left out: the council.")
    conversation = TextField(required=False, max_length=PUBLIC_ID_LENGTH, help_text="Id. Left out: a new conversation.")
    cache = FlagField(required=False, help_text="false: no answer may come from the cache. The new ones are kept for others.")


class EventQuery(StrictSerializer):
    after = serializers.IntegerField(min_value=0, max_value=MAX_SEQ, default=0, help_text="The last number you have.")
    limit = serializers.IntegerField(min_value=1, max_value=500, default=500)


class NothingToSay(StrictSerializer):
    """An empty body: the address says it all."""
