"""The door for agents: one WebSocket each, handed to the gateway as a transport."""

import structlog
from quart import Blueprint, Websocket, websocket

from spunto.core.kernel.errors import SpuntoError, Unauthenticated
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.gateway import NodeGateway
from spunto.core.protocol.closing import BUSY
from spunto.entrypoints.security import bearer_of
from spunto.entrypoints.ws.sockets import Sockets, close_quietly

log = structlog.get_logger()


def agents_blueprint(gateway: NodeGateway, sockets: Sockets) -> Blueprint:
    routes = Blueprint("agents", __name__)

    @routes.websocket("/api/agent/connect")
    async def connect() -> None:
        token = _token()
        # The object behind Quart's context, because the gateway's tasks have no request context.
        socket = websocket._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - werkzeug's only way
        with sockets.registered(socket):
            await socket.accept()
            await _serve(gateway, socket, token)

    return routes


async def _serve(gateway: NodeGateway, socket: Websocket, token: Secret) -> None:
    """An agent that is turned away by our own trouble is told to come back."""
    try:
        await gateway.serve(SocketTransport(socket), token)
    except SpuntoError as error:
        await close_quietly(socket, BUSY, error.code)
    except Exception as error:  # the edge of a request; the agent comes again
        log.error("agent_failed", exc_info=error)
        await close_quietly(socket, BUSY, "internal_error")


class SocketTransport:
    """A WebSocket as the protocol's transport. Its end comes as the cancellation of the handler, as Quart has it."""

    def __init__(self, socket: Websocket) -> None:
        self._socket = socket

    async def send(self, frame: str | bytes) -> None:
        await self._socket.send(frame)

    async def receive(self) -> str | bytes:
        return await self._socket.receive()

    async def close(self, code: int, reason: str) -> None:
        await close_quietly(self._socket, code, reason)


def _token() -> Secret:
    """The node's token: as Bearer, or in the query, where proxies may log it. Raises Unauthenticated."""
    token = bearer_of(websocket.headers)
    if token is not None:
        return token
    given = websocket.args.get("token", "")
    if not given:
        raise Unauthenticated("credential_missing", "Send the node's token as `Authorization: Bearer <token>`.")
    return Secret(given)
