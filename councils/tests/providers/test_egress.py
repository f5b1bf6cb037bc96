import socket

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from councils.engine.errors import EgressDenied
from councils.providers.client import GuardedResolver
from councils.providers.egress import DENY_PRIVATE, EgressPolicy, is_public

INSIDE = [
    "http://127.0.0.1/",
    "http://127.0.0.1:8000/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://0/",
    "http://0.0.0.0/",
    "http://127.0.0.1./",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://sub.localhost/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fec0::1]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/",
    "http://[::ffff:169.254.169.254]/",
    "http://100.100.100.200/",
    "http://192.0.0.192/",
    "http://168.63.129.16/",
    "http://[64:ff9b:1::a00:1]/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://１２７.０.０.１/",
    "http://①②⑦.0.0.1/",
    "http://127。0。0。1/",
    "http://127%2e0.0.1/",
    "http://1.2.3/",
    "http://999.1.1.1/",
]


@pytest.mark.parametrize("url", INSIDE)
def test_no_spelling_of_an_inside_address_gets_out(url: str) -> None:
    with pytest.raises(EgressDenied):
        DENY_PRIVATE.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://models.example/",
        "file:///etc/passwd",
        "gopher://models.example/",
        "//models.example/",
        "models.example",
        "",
        "http://",
        "http:///v1",
        "https://user:password@models.example/",
        "https://models.example@127.0.0.1/",
        "https://127.0.0.1\\@models.example/",
        "https://mod\tels.example/",
        "https://models.example\n/",
        "https://models example/",
        "https://models.example:99999/",
        "https://models.example:port/",
        "https://[::1/",
        "https://${HOST}/v1",
        "https://-bad.example/",
        "https://a..b/",
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(EgressDenied):
        DENY_PRIVATE.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "http://models.example:8080/v1",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
        "https://my_host.internal.example/",
        "https://models.example./v1",
        "https://xn--mller-kva.example/",
    ],
)
def test_addresses_outside_are_free_to_use(url: str) -> None:
    DENY_PRIVATE.check_url(url)


def test_an_allowed_host_is_allowed_on_that_port_only() -> None:
    policy = EgressPolicy(frozenset({"ollama:11434", "127.0.0.1:9100", "[::1]:9100"}))

    for url in ("http://ollama:11434/api", "http://OLLAMA.:11434", "http://127.0.0.1:9100/v1", "http://[::1]:9100/"):
        policy.check_url(url)
    for url in ("http://127.0.0.1:9101/", "http://127.0.0.2:9100/", "http://localhost:9100/", "http://[::1]/"):
        with pytest.raises(EgressDenied):
            policy.check_url(url)


def test_the_port_of_an_address_without_one_is_that_of_its_scheme() -> None:
    policy = EgressPolicy(frozenset({"10.0.0.1:443"}))

    policy.check_url("https://10.0.0.1/v1")
    with pytest.raises(EgressDenied):
        policy.check_url("http://10.0.0.1/v1")


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8", "2002:808:808::1"])
def test_public_addresses_are_public_in_every_form(address: str) -> None:
    assert is_public(address)


def test_what_is_no_address_at_all_is_denied() -> None:
    with pytest.raises(EgressDenied):
        DENY_PRIVATE.check_address("models.example", 443, "nonsense")


class OneAnswer(AbstractResolver):
    """Resolves every name to the same addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AddressFamily.AF_INET) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0) for address in self._addresses]

    async def close(self) -> None:
        return None


async def test_a_name_that_leads_inside_is_refused_when_it_is_resolved() -> None:
    resolver = GuardedResolver(DENY_PRIVATE, OneAnswer("169.254.169.254"))

    with pytest.raises(EgressDenied):
        await resolver.resolve("metadata.example", 80)


async def test_one_inside_address_spoils_a_name() -> None:
    resolver = GuardedResolver(DENY_PRIVATE, OneAnswer("8.8.8.8", "10.0.0.1"))

    with pytest.raises(EgressDenied):
        await resolver.resolve("mixed.example", 80)


async def test_a_name_that_was_allowed_may_lead_inside() -> None:
    resolver = GuardedResolver(EgressPolicy(frozenset({"ollama:11434"})), OneAnswer("172.18.0.5"))

    assert [result["host"] for result in await resolver.resolve("ollama", 11434)] == ["172.18.0.5"]


async def test_the_denial_comes_through_the_whole_client_stack() -> None:
    connector = aiohttp.TCPConnector(resolver=GuardedResolver(DENY_PRIVATE, OneAnswer("127.0.0.1")))
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(EgressDenied):
            await session.get("http://rebound.example/")
