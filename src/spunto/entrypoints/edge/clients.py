"""Who asks and how, past the proxies that are trusted; and how the server is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from spunto.entrypoints.edge.crossings import first
from spunto.entrypoints.edge.http.headers import forwarding, passing, without_client
from spunto.entrypoints.edge.seams import Headers, RequestHead
from spunto.entrypoints.serving.peers import (
    DIRECT_HEADER,
    UNKNOWN,
    Network,
    client_address,
    parsed_address,
    trusts,
)

_DIRECT: Final = (DIRECT_HEADER.lower().encode(), b"1")
_BY_PROXY: Final = (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via")


@dataclass(frozen=True, slots=True)
class Clients:
    trusted: Sequence[Network] = ()

    def of(self, request: RequestHead) -> str:
        forwarded = [value.decode("latin1") for name, value in request.headers if name == b"x-forwarded-for"]
        address = client_address(request.peer, forwarded, self.trusted)
        return UNKNOWN if address is None else str(address)

    def scheme_of(self, request: RequestHead) -> str:
        said = first(request.headers, b"x-forwarded-proto")
        if said in (b"http", b"https") and (peer := parsed_address(request.peer)) and trusts(self.trusted, peer):
            return said.decode()
        return "https" if request.is_tls else "http"

    def to_server(self, request: RequestHead) -> Headers:
        """A request as the server gets it: unchanged, but for what is said about who asks."""
        told = [
            *without_client(passing(request.headers)),
            *forwarding(request, client=self.of(request), scheme=self.scheme_of(request)),
        ]
        return [*told, _DIRECT] if self._is_direct(request) else told

    def _is_direct(self, request: RequestHead) -> bool:
        """Whether no proxy stood in between that says so."""
        return not any(name in _BY_PROXY for name, _ in request.headers)
