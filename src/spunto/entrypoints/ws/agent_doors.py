"""Doors for agents in other people's servers: one for any ASGI application, one for the `websockets` library.

An agent dials `<its server's URL>/api/agent/connect`, so the door stands wherever that URL leads.
"""

from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, urlsplit

import structlog

from spunto.core.kernel.errors import SpuntoError
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.gateway import NodeGateway
from spunto.core.protocol.closing import BUSY, UNAUTHENTICATED
from spunto.core.protocol.transport import Transport
from spunto.entrypoints.ws.asgi_socket import AsgiSocket, Receive, Send

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

PATH = "/api/agent/connect"
_NO_TOKEN = "credential_missing"  # noqa: S105 - a code

log = structlog.get_logger()


class AsgiAgentDoor:
    """An ASGI application for agents alone: mount it where their server's URL leads, at the root or below a prefix.

    It limits nobody; put a limit on new connections in front where strangers can dial.
    """

    def __init__(self, gateway: NodeGateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await _not_found(send)
        elif (await receive())["type"] == "websocket.connect":
            socket = AsgiSocket(receive, send)
            if not scope["path"].endswith(PATH):
                await send({"type": "websocket.close", "code": 1000, "reason": ""})
                return
            headers = {name.lower(): value.decode("latin1") for name, value in scope["headers"]}
            await socket.accept()
            await _attend(
                self._gateway, socket, _token(headers.get(b"authorization"), scope["query_string"].decode("latin1"))
            )


async def serve_agent(gateway: NodeGateway, connection: "ServerConnection") -> None:
    """The handler of a `websockets` server with its own limits, best with `compression=None`.

    Returns when the agent has left. Whoever dials another path is closed with 1008.
    """
    from spunto.adapters.websocket import WebSocketTransport

    request = connection.request
    target = urlsplit("" if request is None else request.path)
    transport = WebSocketTransport(connection)
    if request is None or not target.path.endswith(PATH):
        await transport.close(1008, "not_found")
        return
    await _attend(gateway, transport, _token(request.headers.get("Authorization"), target.query))


class Gateway(Protocol):
    """Of agents, or of edges."""

    async def serve(self, transport: Transport, token: Secret) -> None: ...


async def attend(gateway: Gateway, transport: Transport, token: Secret) -> None:
    """Speak with a machine until it leaves; one that is turned away by our own trouble is told to come back."""
    try:
        await gateway.serve(transport, token)
    except SpuntoError as error:
        await transport.close(BUSY, error.code)
    except Exception as error:  # the edge of a connection; the machine comes again
        log.error("connection_failed", gateway=type(gateway).__name__, exc_info=error)
        await transport.close(BUSY, "internal_error")


async def _attend(gateway: NodeGateway, transport: Transport, token: Secret | None) -> None:
    if token is None:
        await transport.close(UNAUTHENTICATED, _NO_TOKEN)
    else:
        await attend(gateway, transport, token)


def _token(authorization: str | None, query: str) -> Secret | None:
    scheme, _, bearer = (authorization or "").strip().partition(" ")
    if scheme.lower() == "bearer" and bearer.strip():
        return Secret(bearer.strip())
    given = parse_qs(query).get("token")
    return None if given is None else Secret(given[0])


async def _not_found(send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def _live(receive: Receive, send: Send) -> None:
    """There is nothing to start and nothing to stop; whoever mounts the door owns the Spunto behind it."""
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return
