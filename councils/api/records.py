"""The record of a run as the API shows it. Field by field; figures come from ``presenters``."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from councils.api import choices, presenters
from councils.api.judgements import FeedbackSerializer, PickSerializer
from councils.engine.errors import without_detail
from councils.engine.events import EventType
from councils.models import CouncilRun, ModelCall, RunStep
from councils.models.run import RunOrigin
from councils.services.veiling import pick_of

Serializer = serializers.Serializer[Any]


def _money(help_text: str = "", *, allow_null: bool = False) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=16, decimal_places=8, allow_null=allow_null, help_text=help_text)


class CallSerializer(Serializer):
    """One attempt at a provider."""

    id = serializers.CharField(source="public_id")
    attempt = serializers.IntegerField()
    status = serializers.ChoiceField(choices=choices.CALL_STATUSES)
    provider = serializers.CharField(source="provider_name")
    model = serializers.CharField(source="model_name")
    reported_model = serializers.CharField(help_text="The name that the provider gave itself; empty when it gave none.")
    substituted = serializers.BooleanField(help_text="A fallback model was asked.")
    cached = serializers.BooleanField(help_text="Answered from the cache: nothing was sent, and nothing was paid.")
    structured_mode = serializers.CharField()
    finish_reason = serializers.ChoiceField(choices=choices.FINISH_REASONS, allow_blank=True)
    prompt_tokens = serializers.IntegerField(allow_null=True)
    completion_tokens = serializers.IntegerField(allow_null=True)
    total_tokens = serializers.IntegerField(allow_null=True)
    usage_source = serializers.ChoiceField(choices=choices.USAGE_SOURCES, allow_blank=True)
    cost_usd = _money("null while unknown, which is not zero.", allow_null=True)
    error_kind = serializers.CharField()
    error_message = serializers.SerializerMethodField(help_text="What the error means. The provider's own words are in the admin.")
    latency_ms = serializers.IntegerField(allow_null=True)
    first_token_ms = serializers.IntegerField(allow_null=True)
    started_at = serializers.DateTimeField(source="created_at")
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_error_message(self, call: ModelCall) -> str:
        return without_detail(call.error_kind, call.error_detail)


class StepSerializer(Serializer):
    """What all steps have."""

    key = serializers.CharField()
    agent_id = serializers.CharField(help_text="The seat; empty for the chairman.")
    status = serializers.ChoiceField(choices=choices.STEP_STATUSES)
    model = serializers.CharField(source="model_name")
    substituted = serializers.BooleanField()
    text = serializers.CharField()
    finish_reason = serializers.ChoiceField(choices=choices.FINISH_REASONS, allow_blank=True)
    error_kind = serializers.CharField()
    error_message = serializers.SerializerMethodField(help_text="What the error means. The provider's own words are in the admin.")
    latency_ms = serializers.IntegerField(allow_null=True)
    carried = serializers.BooleanField(
        help_text="Kept from an earlier run of the same question: it has no calls here and cost nothing here."
    )
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    calls = CallSerializer(many=True)

    def get_error_message(self, step: RunStep) -> str:
        return without_detail(step.error_kind, step.error_message)


class OpinionSerializer(StepSerializer):
    """A seat's answer."""


class VerdictSerializer(Serializer):
    agent_id = serializers.CharField()
    score = serializers.FloatField(allow_null=True)
    reasoning = serializers.CharField()


class BallotSerializer(Serializer):
    """A counted ballot."""

    reviewer = serializers.CharField()
    tiers = serializers.ListField(child=serializers.ListField(child=serializers.CharField()), help_text="Best first; ties share a tier.")
    weight = serializers.FloatField()
    verdicts = VerdictSerializer(many=True)
    rung = serializers.CharField(help_text="How it was read, from strict to repair_call.")


class ReviewSerializer(StepSerializer):
    """A reviewer's ballot, or why there is none."""

    ballot = serializers.SerializerMethodField()
    problem = serializers.SerializerMethodField(help_text="Why the answer holds no valid ballot; empty for a counted one.")

    @extend_schema_field(BallotSerializer(allow_null=True))
    def get_ballot(self, step: RunStep) -> Any:
        return step.payload.get("ballot")

    def get_problem(self, step: RunStep) -> str:
        return str(step.payload.get("problem", ""))


class SynthesisSerializer(StepSerializer):
    """What the chairman wrote."""


class RoundSerializer(Serializer):
    shares = serializers.DictField(child=serializers.FloatField())
    dropped = serializers.CharField()


class AgreementSerializer(Serializer):
    u = serializers.FloatField(allow_null=True)
    denominator = serializers.IntegerField()
    score = serializers.FloatField(allow_null=True, help_text="0 to 1; null where it cannot be measured.")
    word = serializers.CharField()
    method = serializers.CharField()


class TallySerializer(Serializer):
    """The count of the votes, by the council's own method and by the others beside it."""

    system = serializers.ChoiceField(choices=choices.VOTING_SYSTEMS)
    winner = serializers.CharField()
    order = serializers.ListField(child=serializers.CharField(), help_text="Best first.")
    rounds = RoundSerializer(many=True, help_text="The run-off, round by round.")
    pairwise = serializers.DictField(child=serializers.DictField(child=serializers.FloatField()))
    borda = serializers.DictField(child=serializers.FloatField())
    copeland = serializers.DictField(child=serializers.FloatField())
    schulze_wins = serializers.DictField(child=serializers.IntegerField())
    weighted = serializers.DictField(child=serializers.FloatField(), allow_null=True)
    leniency = serializers.DictField(child=serializers.FloatField(), allow_null=True)
    agreement = AgreementSerializer()
    margin = serializers.FloatField(allow_null=True)
    winners = serializers.DictField(child=serializers.CharField(), help_text="Each method's winner.")
    contested = serializers.BooleanField(help_text="The methods do not agree about the winner.")
    has_cycle = serializers.BooleanField()
    reached = serializers.BooleanField(allow_null=True, help_text="Whether there is a consensus; null under other systems.")
    counted = serializers.IntegerField(help_text="Valid ballots …")
    cast = serializers.IntegerField(help_text="… of so many asked for.")


class SeatSerializer(Serializer):
    """A seat as it was when the run started."""

    agent_id = serializers.CharField()
    name = serializers.CharField()
    model = serializers.CharField()
    provider = serializers.CharField()
    persona = serializers.CharField()
    weight = serializers.FloatField()
    answers = serializers.BooleanField()
    reviews = serializers.BooleanField()


class RulesSerializer(Serializer):
    """How the council was to deliberate, as it was when the run started."""

    voting_system = serializers.ChoiceField(choices=choices.VOTING_SYSTEMS, allow_null=True)
    chairman_mode = serializers.ChoiceField(choices=choices.CHAIRMAN_MODES, allow_null=True)
    enable_peer_review = serializers.BooleanField(allow_null=True)
    anonymous = serializers.BooleanField(allow_null=True)
    quorum = serializers.IntegerField(allow_null=True)
    chairmen = serializers.ListField(child=serializers.CharField(), help_text="The chairman's model, then its fallbacks.")


class TotalsSerializer(Serializer):
    """What the run has used."""

    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()
    cost_usd = _money("null when the cost of any call is unknown.", allow_null=True)
    known_cost_usd = _money()
    unknown_costs = serializers.IntegerField(help_text="Calls whose cost is not known.")


class TokensSerializer(Serializer):
    calls = serializers.IntegerField()
    calls_without_usage = serializers.IntegerField(help_text="Calls that are in no sum: nobody knows what they consumed.")
    total_prompt_tokens = serializers.IntegerField()
    total_completion_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()


class StageTokensSerializer(TokensSerializer):
    stage = serializers.ChoiceField(choices=choices.STAGES)
    by_model = serializers.DictField(child=TokensSerializer())


class TokenUsageSerializer(TokensSerializer):
    stage1_opinions = StageTokensSerializer()
    stage2_review = StageTokensSerializer()
    stage3_synthesis = StageTokensSerializer()


class LatencySerializer(Serializer):
    calls = serializers.IntegerField()
    total_latency_ms = serializers.IntegerField(help_text="Calls added up, also those side by side.")
    average_latency_ms = serializers.IntegerField(allow_null=True)
    max_latency_ms = serializers.IntegerField(allow_null=True)


class StageLatencySerializer(LatencySerializer):
    stage = serializers.ChoiceField(choices=choices.STAGES)
    duration_ms = serializers.IntegerField(allow_null=True, help_text="The time that passed; null while the stage goes on.")
    by_model = serializers.DictField(child=LatencySerializer())


class RunLatencySerializer(LatencySerializer):
    duration_ms = serializers.IntegerField(allow_null=True)
    stage1_opinions = StageLatencySerializer()
    stage2_review = StageLatencySerializer()
    stage3_synthesis = StageLatencySerializer()


class CouncilNameSerializer(Serializer):
    slug = serializers.CharField(allow_null=True, source="council.slug", default=None, help_text="null when the council was deleted.")
    name = serializers.CharField(source="council_name")


class RunSummarySerializer(Serializer):
    """A run in a list, and right after it was started."""

    id = serializers.CharField(source="public_id")
    task_id = serializers.CharField(source="public_id", help_text="Follow it at /api/v1/tasks/{task_id}/, or by the events of the run.")
    url = serializers.SerializerMethodField()
    status = serializers.ChoiceField(choices=choices.RUN_STATUSES)
    held = serializers.BooleanField(source="is_held", help_text="It came back with a backup and waits until staff decide.")
    council = CouncilNameSerializer(source="*")
    course = serializers.ChoiceField(
        choices=choices.COURSES, help_text="full; retry: what failed; synthesis: the answer written anew; member: one seat alone."
    )
    member = serializers.CharField(help_text="The seat that was asked instead of the council; empty for the council.")
    based_on = serializers.CharField(
        source="based_on.public_id",
        default=None,
        allow_null=True,
        help_text="The earlier run of the same question that this one goes on from.",
    )
    message = serializers.CharField(source="message.public_id", help_text="The question; its runs are the versions of its answer.")
    conversation = serializers.CharField(source="conversation.public_id")
    title = serializers.CharField(source="conversation.title", help_text="The conversation's title.")
    origin = serializers.ChoiceField(choices=RunOrigin.values)
    reason = serializers.CharField(help_text="How the run ended, for people.")
    marks = serializers.ListField(
        child=serializers.ChoiceField(choices=choices.MARKS),
        help_text="What to know about the answer; cut: it ended at its limit on length.",
    )
    answer_by = serializers.CharField(help_text="chairman, or the seat whose answer it is; empty without an answer.")
    consensus_score = serializers.FloatField(allow_null=True, help_text="0 to 1; null where it cannot be measured.")
    totals = TotalsSerializer(source="*")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_url(self, run: CouncilRun) -> str:
        return reverse("api:run-detail", args=[run.public_id])


class RunSerializer(RunSummarySerializer):
    """Everything that led to the answer."""

    question = serializers.CharField(source="message.text")
    answer = serializers.CharField()
    is_readable = serializers.SerializerMethodField(
        help_text="false: another version of this software recorded the run; rules and seats are then not known."
    )
    rules = serializers.SerializerMethodField()
    seats = serializers.SerializerMethodField()
    opinions = serializers.SerializerMethodField()
    reviews = serializers.SerializerMethodField()
    tally = serializers.SerializerMethodField()
    first_tally = serializers.SerializerMethodField()
    synthesis = serializers.SerializerMethodField()
    token_usage = serializers.SerializerMethodField()
    latency = serializers.SerializerMethodField()
    blind = serializers.BooleanField(
        help_text="The page hides who wrote what until its reader has picked the best answer. Records and events hide nothing."
    )
    pick = serializers.SerializerMethodField(help_text="null where nothing was picked.")
    feedback = serializers.SerializerMethodField(help_text="What you said of the answer; null where you said nothing.")
    last_seq = serializers.SerializerMethodField(help_text="The number of the newest event.")

    def get_is_readable(self, run: CouncilRun) -> bool:
        return presenters.is_readable(run)

    @extend_schema_field(RulesSerializer)
    def get_rules(self, run: CouncilRun) -> Any:
        return presenters.rules(run)

    @extend_schema_field(SeatSerializer(many=True))
    def get_seats(self, run: CouncilRun) -> Any:
        return presenters.seats(run)

    @extend_schema_field(OpinionSerializer(many=True))
    def get_opinions(self, run: CouncilRun) -> Any:
        return OpinionSerializer(presenters.opinions(run), many=True).data

    @extend_schema_field(ReviewSerializer(many=True))
    def get_reviews(self, run: CouncilRun) -> Any:
        return ReviewSerializer(presenters.reviews(run), many=True).data

    @extend_schema_field(TallySerializer(allow_null=True))
    def get_tally(self, run: CouncilRun) -> Any:
        return presenters.tally(run)

    @extend_schema_field(TallySerializer(allow_null=True, help_text="The count before an extra round, if there was one."))
    def get_first_tally(self, run: CouncilRun) -> Any:
        return presenters.first_tally(run)

    @extend_schema_field(SynthesisSerializer(allow_null=True))
    def get_synthesis(self, run: CouncilRun) -> Any:
        step = presenters.synthesis(run)
        return None if step is None else SynthesisSerializer(step).data

    @extend_schema_field(TokenUsageSerializer)
    def get_token_usage(self, run: CouncilRun) -> Any:
        return presenters.token_usage(run)

    @extend_schema_field(RunLatencySerializer)
    def get_latency(self, run: CouncilRun) -> Any:
        return presenters.latency(run)

    @extend_schema_field(PickSerializer(allow_null=True))
    def get_pick(self, run: CouncilRun) -> Any:
        pick = pick_of(run)
        return None if pick is None else PickSerializer(pick).data

    @extend_schema_field(FeedbackSerializer(allow_null=True))
    def get_feedback(self, run: CouncilRun) -> Any:
        own = next((feedback for feedback in run.feedback.all() if feedback.by_id == run.owner_id), None)
        return None if own is None else FeedbackSerializer(own).data

    def get_last_seq(self, run: CouncilRun) -> int:
        return run.next_seq - 1


EVENT_SCHEMA = {
    "type": "object",
    "properties": {
        "seq": {"type": "integer", "description": "From 1, without a gap."},
        "type": {"type": "string", "enum": [kind.value for kind in EventType]},
        "at": {"type": "string", "format": "date-time"},
    },
    "required": ["seq", "type", "at"],
    "additionalProperties": True,
}


@extend_schema_field(EVENT_SCHEMA)
class EventField(serializers.JSONField):
    """One event with the fields of its type."""


class EventPageSerializer(Serializer):
    """A piece of a run's history."""

    status = serializers.ChoiceField(choices=choices.RUN_STATUSES)
    events = serializers.ListField(child=EventField())
    next_after = serializers.IntegerField(help_text="Ask again with after=… this.")
    finished = serializers.BooleanField(help_text="The run has ended, and you have all its events.")
