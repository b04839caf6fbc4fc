"""Addresses of peers, and who is counted behind one."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
DIRECT_HEADER: Final = "X-Spunto-Direct"
"""By this an edge says that no proxy stood before it."""
UNKNOWN: Final = "unknown"
# Whoever has one IPv6 address has the other 2**64 of its network as well.
IPV6_PREFIX: Final = 64
# With a zone and a port; what is longer is none, and not kept.
_LONGEST: Final = 64


def client_address(peer: str, forwarded: Iterable[str], trusted: Sequence[Network]) -> Address | None:
    """Who asks, by what the headers X-Forwarded-For say where the peer is a proxy that is trusted.

    Right to left: each entry was written by the one to its right, so the first that is no proxy of ours counts, and
    whatever stands left of it is only what that one claims.
    """
    nearest = parsed_address(peer)
    if nearest is None or not trusts(trusted, nearest):
        return nearest
    for entry in reversed([entry for header in forwarded for entry in header.split(",")]):
        address = parsed_address(entry)
        if address is None:
            return nearest
        nearest = address
        if not trusts(trusted, nearest):
            return nearest
    return nearest


def trusts(trusted: Iterable[Network], address: Address) -> bool:
    return any(address in network for network in trusted)


def counted(address: Address | None) -> str:
    if address is None:
        return UNKNOWN
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), IPV6_PREFIX), strict=False))
    return str(address)


@lru_cache(maxsize=4096)
def counted_peer(peer: str | None) -> str:
    return counted(parsed_address(peer or ""))


def parsed_address(text: str) -> Address | None:
    """An address, also with a port, as some proxies write it; None for anything else."""
    return _known_address(text) if len(text) <= _LONGEST else _read_address(text)


def _read_address(text: str) -> Address | None:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


# Each request of a connection has the same; to read one takes as long as to route it.
_known_address = lru_cache(maxsize=4096)(_read_address)
