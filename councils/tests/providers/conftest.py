import socket
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from benchmarks.fake.server import Running, running
from councils.providers import client
from councils.providers.egress import EgressPolicy
from councils.providers.endpoint import Endpoint, EndpointKind
from councils.providers.factory import provider_for
from councils.providers.streaming import HttpProvider
from councils.tests.providers.support import KEY

ProviderMaker = Callable[[EndpointKind], HttpProvider]


@pytest.fixture(scope="session")
def fake() -> Iterator[Running]:
    """The fake provider in a thread, on a real socket."""
    with running() as server:
        yield server


@pytest.fixture
def policy(fake: Running) -> EgressPolicy:
    """Allows the fake provider and nothing else inside."""
    return EgressPolicy(frozenset({f"127.0.0.1:{fake.port}"}))


@pytest.fixture
async def closing_clients() -> AsyncIterator[None]:
    """Closes the shared clients of this test's loop."""
    yield
    await client.aclose()


@pytest.fixture
async def over_socket(fake: Running, policy: EgressPolicy, closing_clients: None) -> ProviderMaker:
    """Makes providers that talk to the fake one over the shared client of this test's loop."""
    bases = {EndpointKind.OPENAI: f"{fake.url}/v1", EndpointKind.OLLAMA: fake.url, EndpointKind.ANTHROPIC: fake.url}
    return lambda kind: provider_for(Endpoint(kind=kind, base_url=bases[kind], api_key=KEY), policy=policy)


@pytest.fixture
def unused_tcp_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
