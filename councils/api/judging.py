"""Thumbs for the answer of one's own run."""

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from councils.api.base import checked, user_of
from councils.api.fields import StrictSerializer, TextField
from councils.api.judgements import FeedbackSerializer
from councils.models import CouncilRun, Thumb
from councils.services.judging import give_feedback, take_back_feedback


class FeedbackRequest(StrictSerializer):
    """Whether the answer is any good, and why."""

    verdict = serializers.ChoiceField(choices=Thumb.values)
    reason = TextField(required=False, allow_blank=True, default="", help_text="At most 2,000 characters.")


class FeedbackView(APIView):
    """Your judgement of the final answer of a run of yours: one, which you may change or take back."""

    @extend_schema(request=FeedbackRequest, responses=FeedbackSerializer)
    def put(self, request: Request, public_id: str) -> Response:
        """Say whether the answer is any good. Said again, it replaces what you said before."""
        run = self._run(request, public_id)
        said = checked(FeedbackRequest, request.data)
        feedback = give_feedback(run=run, by=user_of(request), verdict=Thumb(said["verdict"]), reason=said["reason"])
        return Response(FeedbackSerializer(feedback).data)

    @extend_schema(responses={204: OpenApiResponse(description="Nothing is said of the answer any more.")})
    def delete(self, request: Request, public_id: str) -> Response:
        """Take your judgement back. Taking back what was never said changes nothing."""
        take_back_feedback(run=self._run(request, public_id), by=user_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _run(self, request: Request, public_id: str) -> CouncilRun:
        return get_object_or_404(CouncilRun.objects.visible_to(user_of(request)), public_id=public_id)
