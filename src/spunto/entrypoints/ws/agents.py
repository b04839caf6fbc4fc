"""The door for agents: one WebSocket each, handed to the gateway as a transport."""

from quart import Blueprint, Websocket, websocket

from spunto.core.kernel.errors import Unauthenticated
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.gateway import NodeGateway
from spunto.entrypoints.security import bearer_of
from spunto.entrypoints.ws.sockets import Sockets, close_quietly


def agents_blueprint(gateway: NodeGateway, sockets: Sockets) -> Blueprint:
    routes = Blueprint("agents", __name__)

    @routes.websocket("/api/agent/connect")
    async def connect() -> None:
        token = _token()
        # The object behind Quart's context, because the gateway's tasks have no request context.
        socket = websocket._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - werkzeug's only way
        await socket.accept()
        with sockets.registered(socket):
            await gateway.serve(SocketTransport(socket), token)

    return routes


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
