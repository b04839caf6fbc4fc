"""Whose request it is, as the network tells: a proxy's word counts only where the operator trusts that proxy."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, TypeAlias

from werkzeug.datastructures import Headers

from spunto.entrypoints.serving.peers import counted, counted_peer, parsed_address

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
        address = parsed_address(peer or "")
        if address is not None and self._trusts(address):
            address = self._behind(address, headers)
        return counted(address)

    def is_direct_loopback(self, peer: str | None, headers: Headers) -> bool:
        """Whether the request came from this very machine, and through no proxy that says so."""
        if self._is_behind_edge and peer in _LOCAL:
            address = parsed_address(headers.get("X-Forwarded-For", ""))
            return address is not None and address.is_loopback and DIRECT_HEADER in headers
        address = parsed_address(peer or "")
        forwarded = any(name in headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via"))
        return address is not None and address.is_loopback and not self._trusted and not forwarded

    def _behind(self, proxy: IPv4Address | IPv6Address, headers: Headers) -> IPv4Address | IPv6Address:
        """Right to left: each entry was written by the one to its right, so the first that is no proxy of ours counts,
        and whatever stands left of it is only what that one claims."""
        nearest = proxy
        entries = [entry for header in headers.getlist("X-Forwarded-For") for entry in header.split(",")]
        for entry in reversed(entries):
            address = parsed_address(entry)
            if address is None:
                return nearest
            nearest = address
            if not self._trusts(address):
                return nearest
        return nearest

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)
