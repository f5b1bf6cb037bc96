"""Which addresses a provider may live at: none inside, unless somebody allowed that very host and port.

A URL is checked when it is used, and what its name resolves to is checked again at connect time (``client.GuardedResolver``), so
that a name cannot change its meaning in between (DNS rebinding).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from councils.engine.errors import EgressDenied

NAT64 = IPv6Network("64:ff9b::/96")
# Inside although the standard library of this Python calls them global: protocol assignments (Oracle's metadata), local NAT64, and
# Azure's host address, which is public by number only.
ALSO_INSIDE = (ip_network("192.0.0.0/24"), ip_network("64:ff9b:1::/48"), ip_network("168.63.129.16/32"))
DEFAULT_PORTS = {"http": 80, "https": 443}
# Labels as DNS knows them. Everything else (encoded, full-width, with control characters) is some spelling of something.
NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*")
# What a resolver of the C library takes for an IPv4 address: the last label is a number, decimal or hexadecimal.
NUMERIC_END = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)")


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """``allow_private`` holds ``host:port`` (IPv6 in brackets) of the inside addresses that may be contacted."""

    allow_private: frozenset[str] = frozenset()

    def check_url(self, url: str) -> None:
        """Raise ``EgressDenied`` unless ``url`` may be contacted as far as its text tells."""
        host, port = host_and_port(url)
        if self.allows(host, port):
            return
        address = _literal(host)
        if address is not None:
            self.check_address(host, port, str(address))
        elif host == "localhost" or host.endswith(".localhost"):
            raise EgressDenied("This machine is not allowed as a provider.")

    def check_address(self, host: str, port: int, address: str) -> None:
        """Raise ``EgressDenied`` unless ``host``, which resolved to ``address``, may be contacted there."""
        if self.allows(host, port):
            return
        try:
            public = is_public(address)
        except ValueError as error:
            raise EgressDenied("The address cannot be understood.") from error
        if not public:
            raise EgressDenied(f"{host}:{port} is inside the network and not on the list of allowed hosts.")

    def allows(self, host: str, port: int) -> bool:
        """Whether this very host and port was allowed, wherever it lies."""
        shown = f"[{host}]" if ":" in host else host
        return f"{shown.lower().removesuffix('.')}:{port}" in self.allow_private


DENY_PRIVATE = EgressPolicy()


def is_public(address: str) -> bool:
    """Whether ``address`` is one of the open internet, looking through every way to write an IPv4 address as IPv6."""
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address) and (inner := _embedded(parsed)) is not None:
        parsed = inner
    site_local = isinstance(parsed, IPv6Address) and parsed.is_site_local
    if any(parsed in network for network in ALSO_INSIDE):
        return False
    return parsed.is_global and not (parsed.is_multicast or parsed.is_reserved or parsed.is_link_local or site_local)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else None


@lru_cache(maxsize=1024)
def host_and_port(url: str) -> tuple[str, int]:
    """The host that ``url`` names, lower case, and its port. Raises ``EgressDenied`` where it is no plain web address."""
    # urlsplit drops tabs and line ends silently; a URL that needs that was not typed by anybody.
    if any(char.isspace() or not char.isprintable() for char in url) or "\\" in url:
        raise EgressDenied("The address holds characters that no address has.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise EgressDenied("The address cannot be understood.") from error
    if parts.scheme not in DEFAULT_PORTS:
        raise EgressDenied("Only http and https addresses are possible.")
    if "@" in parts.netloc:
        raise EgressDenied("Put the key into its own field, not into the address.")
    if not parts.hostname:
        raise EgressDenied("The address names no host.")
    return parts.hostname.removesuffix("."), DEFAULT_PORTS[parts.scheme] if port is None else port


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    """``host`` as an IP address; ``None`` where it is a name. Raises ``EgressDenied`` where it is a riddle."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    if NUMERIC_END.fullmatch(host) or not NAME.fullmatch(host):
        raise EgressDenied("Write the host as a plain name or a plain address.")
    return None
