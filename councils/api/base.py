"""What the views share."""

from typing import Any, ClassVar, cast

from rest_framework.generics import GenericAPIView
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from councils.api.fields import StrictSerializer
from councils.api.pagination import PageQuery
from councils.models import ApiKey, User
from councils.services.starting import Asker


def user_of(request: Request) -> User:
    # Every view that asks demands that somebody is signed in.
    return cast("User", request.user)


def asker_of(request: Request) -> Asker:
    """Who asks: the key that the request came with, else the user."""
    return request.auth if isinstance(request.auth, ApiKey) else user_of(request)


def checked(serializer: type[StrictSerializer], data: Any) -> dict[str, Any]:
    """What the serializer made of the data; ``ValidationError`` where it is wrong."""
    form = serializer(data=data)
    form.is_valid(raise_exception=True)
    return cast("dict[str, Any]", form.validated_data)


class StrictListMixin(ListModelMixin):
    """A list whose query is checked as strictly as a body. ``get_queryset`` finds the result in ``self.query``."""

    query_serializer: ClassVar[type[StrictSerializer]] = PageQuery
    query: dict[str, Any]

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self.query = checked(self.query_serializer, request.query_params.dict())
        return super().list(request, *args, **kwargs)


def paged(view: GenericAPIView[Any], rows: Any, serializer: Any) -> Response:
    """One page of these rows, for lists beside a view's own."""
    checked(PageQuery, view.request.query_params.dict())
    return view.get_paginated_response(serializer(view.paginate_queryset(rows), many=True).data)
