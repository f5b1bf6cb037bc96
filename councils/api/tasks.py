"""Following work that goes on in the background by the ``task_id`` that its start was answered with."""

from typing import Any

from django.http import Http404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from councils.api import choices
from councils.api.base import user_of
from councils.services.following import BackgroundTask, TaskKind, find_task

RESULTS = {TaskKind.RUN: "api:run-detail"}


class TaskSerializer(Serializer[BackgroundTask]):
    """How a piece of work stands."""

    task_id = serializers.CharField()
    kind = serializers.ChoiceField(choices=[kind.value for kind in TaskKind])
    status = serializers.ChoiceField(choices=choices.RUN_STATUSES)
    finished = serializers.BooleanField(help_text="Nothing changes any more.")
    result = serializers.SerializerMethodField(
        help_text="Where the result is, once the work has ended: for a run its record.", allow_null=True
    )
    reason = serializers.CharField(help_text="How it ended, for people; empty before.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_result(self, task: BackgroundTask) -> str | None:
        return reverse(RESULTS[task.kind], args=[task.task_id]) if task.finished else None


class TaskView(APIView):
    """Work of your own that goes on in the background."""

    @extend_schema(responses=TaskSerializer)
    def get(self, request: Request, task_id: str, **_: Any) -> Response:
        """How work in the background stands, whoever does it. Read it again until ``finished`` is true."""
        task = find_task(by=user_of(request), task_id=task_id)
        if task is None:
            raise Http404
        return Response(TaskSerializer(task).data)
