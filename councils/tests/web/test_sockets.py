"""Open sockets are counted from their acceptance to their end, whatever ends them."""

import asyncio
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.utils.module_loading import import_string
from prometheus_client import REGISTRY

from councils.web.sockets import SocketCounter


def open_sockets() -> float:
    return REGISTRY.get_sample_value("websocket_connections") or 0.0


async def welcomes(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    if (await receive()).get("text") == "break":
        raise ZeroDivisionError


async def refuses(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.close"})


async def test_a_socket_counts_while_it_is_open() -> None:
    resting = open_sockets()
    viewers = [WebsocketCommunicator(SocketCounter(welcomes), "/ws/") for _ in range(3)]
    for viewer in viewers:
        await viewer.connect()
    assert open_sockets() == resting + 3

    for viewer in viewers:
        await viewer.disconnect()
    assert open_sockets() == resting


async def test_one_that_is_refused_never_counts() -> None:
    resting = open_sockets()
    accepted, _ = await WebsocketCommunicator(SocketCounter(refuses), "/ws/").connect()

    assert (accepted, open_sockets()) == (False, resting)


async def test_one_whose_application_breaks_or_is_cancelled_is_not_open_any_more() -> None:
    resting = open_sockets()
    broken = WebsocketCommunicator(SocketCounter(welcomes), "/ws/")
    await broken.connect()
    await broken.send_to(text_data="break")
    with pytest.raises(ZeroDivisionError):
        await broken.wait()
    dropped = WebsocketCommunicator(SocketCounter(welcomes), "/ws/")
    await dropped.connect()
    dropped.stop(exceptions=False)
    await asyncio.sleep(0)

    assert open_sockets() == resting


def test_the_sites_own_sockets_are_counted() -> None:
    sockets = import_string("council_site.asgi.application").application_mapping["websocket"]

    assert isinstance(sockets.application, SocketCounter)
