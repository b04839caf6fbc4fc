"""WebSockets that are dialled, as a transport of the protocol."""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection as WebSocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from spunto.core.kernel.errors import Unavailable
from spunto.core.protocol.codec import MAX_FRAME_BYTES
from spunto.core.protocol.transport import TransportClosed

REPLICA_PATH = "/api/replica/connect"
_LOST = 1006
_OPEN_SECONDS = 3.0
_CLOSE_SECONDS = 1.0
_QUEUED_FRAMES = 64


class WebSocketTransport:
    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def send(self, frame: str | bytes) -> None:
        try:
            await self._socket.send(frame)
        except ConnectionClosed as closed:
            raise _transport_closed(closed) from closed

    async def receive(self) -> str | bytes:
        try:
            return await self._socket.recv()
        except ConnectionClosed as closed:
            raise _transport_closed(closed) from closed

    async def close(self, code: int, reason: str) -> None:
        await self._socket.close(code, reason[:100])


async def dial_replica(url: str, authorization: str) -> WebSocketTransport:
    """Connect to another server process, without a proxy. Raises Unavailable `replica_away`."""
    scheme, host, path, *_ = urlsplit(url)
    address = urlunsplit((scheme.replace("http", "ws", 1), host, path.rstrip("/") + REPLICA_PATH, "", ""))
    try:
        return await dial(address, authorization)
    except OSError as error:
        raise Unavailable("replica_away", f"The server at {url} can't be reached: {error}.") from error


class _Dial(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        """A credential goes to the address that was named, and nowhere else."""
        return exc


async def dial(
    url: str, authorization: str, *, socket_path: str | None = None, proxy: str | None = None
) -> WebSocketTransport:
    """Connect, by a Unix socket where one is given; redirects are refused. Raises OSError with the reason."""
    way: dict[str, Any] = {"proxy": proxy} if socket_path is None else {"unix": True, "path": socket_path}
    try:
        socket = await _Dial(
            url,
            additional_headers={"Authorization": authorization},
            compression=None,
            max_size=MAX_FRAME_BYTES,
            max_queue=_QUEUED_FRAMES,
            open_timeout=_OPEN_SECONDS,
            close_timeout=_CLOSE_SECONDS,
            ping_interval=None,  # the session has its own
            **way,
        )
    except (InvalidHandshake, InvalidURI, OSError, TimeoutError, EOFError, ImportError) as error:
        raise ConnectionError(str(error) or type(error).__name__) from error
    return WebSocketTransport(socket)


def _transport_closed(closed: ConnectionClosed) -> TransportClosed:
    received = closed.rcvd
    return (
        TransportClosed(_LOST, "connection lost")
        if received is None
        else TransportClosed(received.code, received.reason)
    )
