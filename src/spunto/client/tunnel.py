"""A connection to a port of a worker, whose bytes go in the frames of a WebSocket to the worker's own host."""

from typing import Any, Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from spunto.client.api import Api
from spunto.client.errors import UnexpectedAnswer
from spunto.client.sockets import close_code_of, opened
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.loopback import is_loopback
from spunto.core.kernel.proxies import proxy_of
from spunto.core.routes.hosts import TUNNEL_PATH

_EOF: Final = ""
_PIECE_BYTES: Final = 64 * 1024
_NORMAL: Final = 1000
# A stopped worker's start is waited for, and then for whoever is to listen there.
_OPENING_SECONDS: Final = 75.0


class TunnelBroke(Unavailable):
    """It ended before both sides had said all; what came may not be all."""


class Tunnel:
    """Read in one task, write in another."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def read(self) -> bytes | None:
        """The next bytes; None once the worker's side sends no more. Raises TunnelBroke."""
        try:
            frame = await self._connection.recv()
        except ConnectionClosed as closed:
            raise _broke(closed) from closed
        return frame if isinstance(frame, bytes) else None

    async def write(self, data: bytes) -> None:
        """Waits while the other side takes nothing; where that wants no more, it goes nowhere. Raises TunnelBroke."""
        for begin in range(0, len(data), _PIECE_BYTES):
            await self._send(data[begin : begin + _PIECE_BYTES])

    async def write_eof(self) -> None:
        """Say that no more bytes come; reading goes on. Raises TunnelBroke."""
        await self._send(_EOF)

    async def aclose(self) -> None:
        """Break it off, where not all was said."""
        await self._connection.close()

    async def _send(self, frame: bytes | str) -> None:
        try:
            await self._connection.send(frame)
        except ConnectionClosed as closed:
            # The worker's side may have said its last before, and taken all that it wanted.
            if close_code_of(closed) != _NORMAL:
                raise _broke(closed) from closed


async def open_tunnel(api: Api, origin: str) -> Tunnel:
    """To the port with that address. Raises SpuntoApiError as a request to it would, and ServerUnreachable."""
    origin, way = _way(api, origin)
    connection = await opened(
        api,
        f"{origin}{TUNNEL_PATH}",
        place=origin,
        open_timeout=_OPENING_SECONDS,
        # Whoever does not take what comes does not answer either, and may do so for as long as it likes.
        ping_timeout=None,
        **way,
    )
    return Tunnel(connection)


def _way(api: Api, origin: str) -> tuple[str, dict[str, Any]]:
    """Names below `localhost` lead nowhere by themselves: their hosts are answered where the server is."""
    address, server = urlsplit(origin), urlsplit(api.url)
    if is_loopback(address.hostname or ""):
        port = server.port or (443 if server.scheme == "https" else 80)
        return f"{server.scheme}://{address.netloc}", {"host": server.hostname, "port": port, "proxy": api.proxy}
    if (server.scheme, address.scheme) == ("https", "http"):
        raise UnexpectedAnswer("unexpected_answer", f"The token is not sent to {origin} in clear text.")
    return origin, {"proxy": proxy_of(origin)}


def _broke(closed: ConnectionClosed) -> TunnelBroke:
    reason = "" if closed.rcvd is None else closed.rcvd.reason
    return TunnelBroke("connection_broke", reason or "The connection to the worker was lost.")
