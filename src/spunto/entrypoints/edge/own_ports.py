"""What pages on the ports of one worker may have of each other, whose origins differ to a browser."""

from collections.abc import Sequence
from dataclasses import dataclass

from spunto.core.routes.hosts import Addresses, HostTarget, target_of
from spunto.entrypoints.edge import crossings
from spunto.entrypoints.edge.http.headers import from_worker
from spunto.entrypoints.edge.seams import Headers, RequestHead


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPorts:
    """Of the worker that the request is for."""

    request: RequestHead
    target: HostTarget
    addresses: Addresses

    @property
    def is_preflight(self) -> bool:
        request = self.request
        return crossings.is_preflight(request.method, request.headers) and self.are_at(self._origin)

    @property
    def sharing(self) -> Sequence[tuple[bytes, bytes]]:
        """What lets a page on another port read the answer."""
        return crossings.shared_with(self.request.headers) if self.are_at(self._origin) else ()

    def are_at(self, origin: str) -> bool:
        """Whether it is a port of this very worker, under the name by which this request came."""
        scheme, _, rest = origin.partition("://")
        name, _, port = rest.partition(":")
        own_port = self.request.host.partition(":")[2]
        if scheme != self.addresses.scheme or port != own_port:
            return False
        other = target_of(name, base_domain=self.addresses.base_domain)
        return other is not None and other.label == self.target.label

    def answered(self, headers: Headers, *, renewed: bytes | None) -> Headers:
        """What the browser gets of the worker's answer, with its `renewed` cookie if there is one."""
        answer, sharing = list(from_worker(headers)), self.sharing
        if sharing:
            answer = [*crossings.without_sharing(answer), *sharing]
        else:
            # Or a browser gives a page of another port what it keeps of a visit, which nobody may read there.
            answer.append((b"vary", b"Origin"))
        if renewed is not None:
            answer.append((b"set-cookie", renewed))
        return answer

    @property
    def _origin(self) -> str:
        return (crossings.first(self.request.headers, b"origin") or b"").decode("latin1")
