"""Whose request it is, as the network tells: a proxy's word counts only where the operator trusts that proxy."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from werkzeug.datastructures import Headers

Network: TypeAlias = IPv4Network | IPv6Network
UNKNOWN: Final = "unknown"
DIRECT_HEADER: Final = "X-Spunto-Direct"
"""By this an edge says that no proxy stood before it."""
# What Quart says of a peer without an address, which is that of a Unix socket.
_LOCAL: Final = (None, "<local>")
# Whoever has one IPv6 address has the other 2**64 of its network as well.
IPV6_PREFIX: Final = 64


class ClientAddresses:
    """With `is_behind_edge` whoever comes by a Unix socket is an edge, which says who its client is."""

    def __init__(self, trusted_proxies: Iterable[Network] = (), *, is_behind_edge: bool = False) -> None:
        self._trusted: Sequence[Network] = tuple(trusted_proxies)
        self._is_behind_edge = is_behind_edge

    def of(self, peer: str | None, headers: Headers) -> str:
        """Who is counted: an IPv4 address, or the /64 network of an IPv6 one."""
        if self._is_behind_edge and peer in _LOCAL:
            return counted_peer(headers.get("X-Forwarded-For"))
        if not self._trusted:
            return counted_peer(peer)
        address = _parsed(peer or "")
        if address is not None and self._trusts(address):
            address = self._behind(address, headers)
        return counted(address)

    def is_direct_loopback(self, peer: str | None, headers: Headers) -> bool:
        """Whether the request came from this very machine, and through no proxy that says so."""
        if self._is_behind_edge and peer in _LOCAL:
            address = _parsed(headers.get("X-Forwarded-For", ""))
            return address is not None and address.is_loopback and DIRECT_HEADER in headers
        address = _parsed(peer or "")
        forwarded = any(name in headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via"))
        return address is not None and address.is_loopback and not self._trusted and not forwarded

    def _behind(self, proxy: IPv4Address | IPv6Address, headers: Headers) -> IPv4Address | IPv6Address:
        """Right to left: each entry was written by the one to its right, so the first that is no proxy of ours counts,
        and whatever stands left of it is only what that one claims."""
        nearest = proxy
        entries = [entry for header in headers.getlist("X-Forwarded-For") for entry in header.split(",")]
        for entry in reversed(entries):
            address = _parsed(entry)
            if address is None:
                return nearest
            nearest = address
            if not self._trusts(address):
                return nearest
        return nearest

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


def counted(address: IPv4Address | IPv6Address | None) -> str:
    if address is None:
        return UNKNOWN
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), IPV6_PREFIX), strict=False))
    return str(address)


@lru_cache(maxsize=4096)
def counted_peer(peer: str | None) -> str:
    return counted(_parsed(peer or ""))


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """An address, also with a port, as some proxies write it; None for anything else."""
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
