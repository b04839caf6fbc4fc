"""The agent's WebSocket: dialled with the node's token, as a transport of the protocol."""

import ssl
from http import HTTPStatus
from typing import Any

from websockets.asyncio.client import connect as dial_websocket
from websockets.exceptions import InvalidHandshake, InvalidStatus

from spunto.adapters.websocket import WebSocketTransport
from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.proxies import proxy_of
from spunto.core.kernel.secret import Secret
from spunto.core.protocol import closing
from spunto.core.protocol.codec import MAX_FRAME_BYTES
from spunto.core.protocol.events import Closed

_OPEN_SECONDS = 15.0
_CLOSE_SECONDS = 3.0
_QUEUED_FRAMES = 16
_LOST = 1006
_CODES: dict[int, int] = {
    HTTPStatus.UNAUTHORIZED: closing.UNAUTHENTICATED,
    HTTPStatus.FORBIDDEN: closing.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS: closing.BUSY,
}


class Refused(Exception):
    """No connection came about; `closed` says it in the words of a session's end."""

    def __init__(self, closed: Closed) -> None:
        super().__init__(closed.message or closed.reason)
        self.closed = closed


class _Dial(dial_websocket):
    def process_redirect(self, exc: Exception) -> Exception | str:
        """The token goes to the server that the owner named, and nowhere else."""
        return exc


async def dial(url: str, token: Secret, *, socket_path: str | None = None) -> WebSocketTransport:
    """Connect, by a Unix socket where one is given; certificates are verified and redirects refused. Raises Refused."""
    way: dict[str, Any] = {"proxy": proxy_of(url)} if socket_path is None else {"unix": True, "path": socket_path}
    try:
        socket = await _Dial(
            url,
            additional_headers={"Authorization": f"Bearer {token.reveal()}"},
            compression=None,
            max_size=MAX_FRAME_BYTES,
            max_queue=_QUEUED_FRAMES,
            open_timeout=_OPEN_SECONDS,
            close_timeout=_CLOSE_SECONDS,
            ping_interval=None,  # the session has its own
            **way,
        )
    except InvalidStatus as error:
        raise Refused(_closed_of(error)) from error
    except ssl.SSLCertVerificationError as error:
        message = f"The server's certificate is not good: {error.verify_message}"
        raise Refused(Closed(code=_LOST, reason="bad_certificate", message=message)) from error
    except (Invalid, InvalidHandshake, OSError, ImportError, TimeoutError, EOFError) as error:
        message = str(error) or type(error).__name__
        raise Refused(Closed(code=_LOST, reason="unreachable", message=message)) from error
    return WebSocketTransport(socket)


def _closed_of(error: InvalidStatus) -> Closed:
    response = error.response
    code = _CODES.get(response.status_code, _LOST)
    message = f"The server answered the upgrade with HTTP {response.status_code}."
    if 300 <= response.status_code < 400:
        message += " Redirects are not followed; set the server's own address."
    after = response.headers.get("Retry-After", "")
    retry_after_seconds = min(float(after), 3600.0) if after.isdecimal() else None
    return Closed(code=code, reason="refused", message=message, retry_after_seconds=retry_after_seconds, by_peer=True)
