"""The door for the other server processes. It has a listener of its own, so that no public name ever answers it."""

from http import HTTPStatus
from typing import Any

import structlog
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope, WebsocketScope

from spunto.core.kernel.errors import SpuntoError
from spunto.core.nodes.peers import Peers
from spunto.core.nodes.tickets import Turnstile
from spunto.entrypoints.ws.asgi_socket import AsgiSocket
from spunto.entrypoints.ws.sockets import Sockets
from spunto.entrypoints.ws.streams import OWN_HEARTBEAT

PATH = "/api/replica/connect"

log = structlog.get_logger()


class ReplicaDoor:
    """An application of its own: whatever is no good ticket for this process is told that there is nothing here."""

    def __init__(self, peers: Peers, turnstile: Turnstile, sockets: Sockets) -> None:
        self._peers = peers
        self._turnstile = turnstile
        self._sockets = sockets

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await self._serve(scope, receive, send)
        else:
            await _answer(send, "http.response", HTTPStatus.NOT_FOUND)

    async def _serve(self, scope: WebsocketScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        try:
            if scope["path"] != PATH:
                raise LookupError
            self._sockets.require_open()
            replica_id = self._turnstile.admit(_authorization(scope))
        except (LookupError, SpuntoError):
            await _answer(send, "websocket.http.response", HTTPStatus.NOT_FOUND)
            return
        log.info("replica_connected", replica=replica_id)
        scope["state"][OWN_HEARTBEAT] = True
        socket = AsgiSocket(receive, send)
        with self._sockets.registered(socket):
            await socket.accept()
            await self._peers.serve(socket)


def _authorization(scope: WebsocketScope) -> str:
    return next((value.decode("latin1") for name, value in scope["headers"] if name == b"authorization"), "")


async def _answer(send: Any, kind: str, status: HTTPStatus) -> None:
    await send({"type": f"{kind}.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": f"{kind}.body", "body": b"", "more_body": False})


async def _live(receive: ASGIReceiveCallable, send: Any) -> None:
    while (event := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{event['type']}.complete"})
    await send({"type": "lifespan.shutdown.complete"})
