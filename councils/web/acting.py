"""Says for every request who acts in it, and through which door."""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

from councils.acting import Acting, Door, acting

DOORS = (("/admin/", Door.ADMIN), ("/api/", Door.API), ("/v1/", Door.API))


def _acting(request: HttpRequest) -> Acting:
    door = next((door for start, door in DOORS if request.path_info.startswith(start)), Door.PAGE)
    # Asked for when something is recorded: an API key names its user only within the view.
    return Acting(door, who=lambda: getattr(request, "user", None))


class ActingMiddleware:
    """Works in both worlds, so that no request is moved to another thread for it."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._answer(request)
        with acting(_acting(request)):
            response: HttpResponseBase = self.get_response(request)
            return response

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        with acting(_acting(request)):
            response: HttpResponseBase = await self.get_response(request)
            return response
