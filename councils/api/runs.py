"""Runs: start one, follow it, stop it, read its record."""

import re
from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.mixins import RetrieveModelMixin
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from councils.api.base import StrictListMixin, asker_of, checked, user_of
from councils.api.kept import Rendered, kept_records, version_of
from councils.api.records import EventPageSerializer, RunSerializer, RunSummarySerializer
from councils.api.serializers import PUBLIC_ID, EventQuery, NothingToSay, RunQuery, RunRequest
from councils.models import Conversation, CouncilConfiguration, CouncilRun, RunOrigin, User
from councils.services.asking import Manner, ask_council, cancel_run
from councils.services.repeating import ask_again, regenerate_answer, retry_run
from councils.services.standing import default_council
from councils.store.events import events_after

KEY_PATTERN = re.compile(r"[\x21-\x7e]{1,200}")
KEY_HEADER = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, description="1 to 200 visible ASCII characters. The same key makes one run."
)
ETAG_HEADER = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="An ETag: 304 without a body where the record is still the same."
)
# What a list does not show and should not carry from the database.
OF_THE_BASE = ("based_on__config_snapshot", "based_on__sealed_keys", "based_on__answer")
HEAVY = ("config_snapshot", "sealed_keys", "answer", "message__text", *OF_THE_BASE)


def summaries(user: User) -> QuerySet[CouncilRun]:
    """The user's runs, newest first, without their heavy columns."""
    return CouncilRun.objects.visible_to(user).select_related("council", "conversation", "message", "based_on").defer(*HEAVY)


class RunViewSet(StrictListMixin, RetrieveModelMixin, GenericViewSet[CouncilRun]):
    """One's own runs."""

    queryset = CouncilRun.objects.none()
    query_serializer = RunQuery
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_regex = PUBLIC_ID

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return RunSerializer if self.action == "retrieve" else RunSummarySerializer

    def get_queryset(self) -> QuerySet[CouncilRun]:
        if self.action in {"retrieve", "retry", "regenerate"}:
            whole = CouncilRun.objects.visible_to(user_of(self.request)).with_details()
            return whole.select_related("based_on").prefetch_related("feedback").defer(*OF_THE_BASE)
        runs = summaries(user_of(self.request))
        if self.action != "list":
            return runs
        names = {"status": "status", "conversation": "conversation__public_id"}
        return runs.filter(**{field: self.query[name] for name, field in names.items() if name in self.query})

    @extend_schema(parameters=[ETAG_HEADER], responses={200: RunSerializer, 304: OpenApiResponse(description="It is still the same.")})
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The whole record. Once a run and its calls have ended, its ``ETag`` changes with the record."""
        this = CouncilRun.objects.visible_to(user_of(request)).filter(public_id=kwargs["id"])
        version = version_of(this)
        etag = f'"{version}"' if version else None
        if etag and (same := get_conditional_response(request, etag=etag)):
            return Response(status=same.status_code, headers={"ETag": etag})
        body = kept_records.get(version)
        if body is None:
            body = JSONRenderer().render(self.get_serializer(self.get_object()).data)
            # What was rendered may be newer than the version that was looked at before.
            if version and version_of(this.all()) == version:
                kept_records.put(version, body)
        return Rendered(body, headers={"ETag": etag} if etag else {})

    @extend_schema(request=RunRequest, parameters=[KEY_HEADER], responses={202: RunSummarySerializer})
    def create(self, request: Request) -> Response:
        """Ask a council. The run goes on by itself: follow its events, or read it until it has ended."""
        user, order = user_of(request), checked(RunRequest, request.data)
        conversation = conversation_of(user, order.get("conversation"))
        run, created = ask_council(
            by=asker_of(request),
            council=_council(user, order.get("council"), conversation),
            question=order["question"],
            conversation=conversation,
            member=order.get("member", ""),
            origin=RunOrigin.API,
            idempotency_key=_idempotency_key(request),
            manner=Manner(fresh=not order.get("cache", True)),
        )
        return _accepted(run, created=created)

    @extend_schema(parameters=[EventQuery], responses=EventPageSerializer)
    @action(detail=True)
    def events(self, request: Request, **_: Any) -> Response:
        """What has happened after an event, in order."""
        query = checked(EventQuery, request.query_params.dict())
        # The answer comes with the last event.
        run = self.get_object()
        events = events_after(run, query["after"], limit=query["limit"])
        next_after = events[-1]["seq"] if events else query["after"]
        page = {"status": run.status, "events": events, "next_after": next_after}
        page["finished"] = not run.is_live and next_after >= run.next_seq - 1
        return Response(EventPageSerializer(page).data)

    @extend_schema(request=NothingToSay, parameters=[KEY_HEADER], responses={202: RunSummarySerializer})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, **_: Any) -> Response:
        """Ask again only for what failed in an ended run: a new run that keeps the rest. What it keeps is not paid again."""
        return self._go_on(retry_run, request)

    @extend_schema(request=NothingToSay, parameters=[KEY_HEADER], responses={202: RunSummarySerializer})
    @action(detail=True, methods=["post"])
    def regenerate(self, request: Request, **_: Any) -> Response:
        """Have the chairman write the answer of an ended run anew: a new run that keeps all opinions and ballots."""
        return self._go_on(regenerate_answer, request)

    @extend_schema(request=NothingToSay, parameters=[KEY_HEADER], responses={202: RunSummarySerializer})
    @action(detail=True, methods=["post"])
    def again(self, request: Request, **_: Any) -> Response:
        """Put the question of an ended run to its council from the start, as it sits today: a new run, paid in full."""
        return self._go_on(ask_again, request)

    def _go_on(self, way: Callable[..., tuple[CouncilRun, bool]], request: Request) -> Response:
        checked(NothingToSay, request.data)
        run, created = way(by=asker_of(request), run=self.get_object(), origin=RunOrigin.API, idempotency_key=_idempotency_key(request))
        return _accepted(run, created=created)

    @extend_schema(request=NothingToSay, responses={202: OpenApiResponse(RunSummarySerializer)})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, **_: Any) -> Response:
        """Stop a run: no call begins after this. Cancelling one that has ended changes nothing."""
        checked(NothingToSay, request.data)
        run = self.get_object()
        cancel_run(run=run, by=user_of(request))
        return Response(RunSummarySerializer(self.get_object()).data, status=status.HTTP_202_ACCEPTED)


def _accepted(run: CouncilRun, *, created: bool) -> Response:
    headers = {"Location": reverse("api:run-detail", args=[run.public_id])}
    if not created:
        headers["Idempotency-Replayed"] = "true"
    return Response(RunSummarySerializer(run).data, status=status.HTTP_202_ACCEPTED, headers=headers)


def conversation_of(user: User, public_id: str | None) -> Conversation | None:
    """The user's conversation of this id. ``ValidationError`` where there is none."""
    if public_id is None:
        return None
    found = Conversation.objects.visible_to(user).select_related("council").filter(public_id=public_id).first()
    if found is None:
        raise ValidationError({"conversation": ["There is no such conversation."]})
    return found


def _council(user: User, slug: str | None, conversation: Conversation | None) -> CouncilConfiguration:
    """The council that was named; else the one that this conversation is with; else the default one."""
    if slug is not None:
        named = CouncilConfiguration.objects.visible_to(user).filter(slug=slug).first()
        if named is None:
            raise ValidationError({"council": ["There is no such council."]})
        return named
    council = (conversation and conversation.council) or default_council(user)
    if council is None:
        raise ValidationError({"council": ["Name a council: there is no default one."]})
    return council


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not KEY_PATTERN.fullmatch(key):
        raise ValidationError({"Idempotency-Key": ["Use 1 to 200 visible ASCII characters."]})
    return key
