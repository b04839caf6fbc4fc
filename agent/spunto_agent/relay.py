"""Dials edges, those that the node's owner trusts: by default the server's host and the names below its domain."""

import ssl
from collections.abc import Sequence
from ssl import SSLCertVerificationError
from urllib.parse import SplitResult, urlsplit, urlunsplit

from picows import WSError

from spunto.adapters.lean_websocket import dial
from spunto.core.kernel.errors import Invalid, Unavailable
from spunto.core.kernel.proxies import proxy_of
from spunto.core.kernel.secret import Secret
from spunto.core.protocol.relaying import RELAY_PATH
from spunto.core.protocol.transport import Transport

_OPEN_SECONDS = 8.0
_THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost", "*.localhost"})


class EdgeDialler:
    """`hosts` may be dialled beside the server's own and the names below it; `*.example.org` is any name below that.

    A server at a Unix socket has its edges on the same machine.
    """

    def __init__(self, server_url: str, hosts: Sequence[str]) -> None:
        server = urlsplit(server_url)
        own = {server.hostname.lower(), f"*.{server.hostname.lower()}"} if server.hostname else _THIS_MACHINE
        self._is_server_secure = server.scheme in ("https", "wss")
        self._hosts = frozenset({*own, *(host.lower() for host in hosts)})

    async def __call__(self, url: str, ticket: Secret) -> Transport:
        """Connect; certificates are verified and redirects refused. Raises Unavailable."""
        address = self.address_of(url)
        try:
            return await dial(
                address,
                headers=[("Authorization", f"Bearer {ticket.reveal()}")],
                proxy=proxy_of(address),
                seconds=_OPEN_SECONDS,
                context=ssl.create_default_context() if address.startswith("wss:") else None,
            )
        except SSLCertVerificationError as error:
            raise _failed(url, f"its certificate is not good: {error.verify_message}") from error
        except (WSError, Invalid, OSError, TimeoutError, EOFError) as error:
            raise _failed(url, str(error) or type(error).__name__) from error

    def address_of(self, url: str) -> str:
        """The relay's address at the edge. Raises Unavailable `dial_refused`."""
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").lower().rstrip(".")
            _ = parts.port
        except ValueError as error:
            raise _refused(url) from error
        if parts.scheme not in ("http", "https", "ws", "wss") or parts.username is not None or not self._is_let(host):
            raise _refused(url)
        is_secure = parts.scheme in ("https", "wss")
        # A server that is reached by TLS has no say in leaving it.
        if self._is_server_secure and not is_secure:
            raise _refused(url)
        path = parts.path.rstrip("/") + RELAY_PATH
        return urlunsplit(SplitResult("wss" if is_secure else "ws", parts.netloc, path, "", ""))

    def _is_let(self, host: str) -> bool:
        names = host.split(".")
        above = {f"*.{'.'.join(names[start:])}" for start in range(1, len(names))}
        return host in self._hosts or not above.isdisjoint(self._hosts)


def _refused(url: str) -> Unavailable:
    message = f"This node's agent does not dial {url[:200]!r}; its owner can allow it by SPUNTO_AGENT_EDGE_HOSTS."
    return Unavailable("dial_refused", message)


def _failed(url: str, reason: str) -> Unavailable:
    return Unavailable("dial_failed", f"The node can't reach the edge at {url[:200]}: {reason[:500]}")
