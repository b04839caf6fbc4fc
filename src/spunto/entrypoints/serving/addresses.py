"""Whose request it is, as the network tells: a proxy's word counts only where the operator trusts that proxy."""

from collections.abc import Iterable, Sequence
from typing import Final

from werkzeug.datastructures import Headers

from spunto.entrypoints.serving.peers import (
    DIRECT_HEADER,
    Network,
    client_address,
    counted,
    counted_peer,
    parsed_address,
)

# What Quart says of a peer without an address, which is that of a Unix socket.
_LOCAL: Final = (None, "<local>")


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
        return counted(client_address(peer or "", headers.getlist("X-Forwarded-For"), self._trusted))

    def is_direct_loopback(self, peer: str | None, headers: Headers) -> bool:
        """Whether the request came from this very machine, and through no proxy that says so."""
        if self._is_behind_edge and peer in _LOCAL:
            address = parsed_address(headers.get("X-Forwarded-For", ""))
            return address is not None and address.is_loopback and DIRECT_HEADER in headers
        address = parsed_address(peer or "")
        forwarded = any(name in headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via"))
        return address is not None and address.is_loopback and not self._trusted and not forwarded
