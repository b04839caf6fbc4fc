"""The door for agents, and for edges: one WebSocket each, handed to their gateway as a transport.

Agents are many and stay for long, and a socket inside of Quart costs as much memory as all the rest of an idle agent.
So they are served before Quart, which is left to tell those who are not let in.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope, WebsocketScope
from quart import Blueprint, websocket
from werkzeug.datastructures import Headers

from spunto.core.kernel.errors import SpuntoError, Unauthenticated, Unavailable
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.gateway import NodeGateway
from spunto.entrypoints.serving.limits import Gate, Limit
from spunto.entrypoints.serving.security import bearer_of
from spunto.entrypoints.serving.targets import path_of
from spunto.entrypoints.serving.telemetry import RequestCame
from spunto.entrypoints.ws.agent_doors import PATH, Gateway, attend
from spunto.entrypoints.ws.asgi_socket import AsgiSocket
from spunto.entrypoints.ws.sockets import Sockets
from spunto.entrypoints.ws.streams import OWN_HEARTBEAT

TokenOf = Callable[[Headers, bytes], Secret]
"""Finds the token in the headers or the query. Raises Unauthenticated."""


def agents_blueprint(
    gate: Gate, gateway: NodeGateway, sockets: Sockets, *, came: RequestCame | None = None
) -> Blueprint:
    return machines_blueprint("agents", PATH, gate, gateway, sockets, token_of=_token_of, came=came)


def machines_blueprint(
    name: str,
    path: str,
    gate: Gate,
    gateway: Gateway,
    sockets: Sockets,
    *,
    token_of: TokenOf,
    came: RequestCame | None,
) -> Blueprint:
    routes = Blueprint(name, __name__)

    @routes.websocket(path)
    async def refuse() -> None:
        token = token_of(websocket.headers, websocket.query_string)
        sockets.require_open()
        _require_patience(gate, token, websocket.headers, websocket.remote_addr)
        # What stood in the way has just gone.
        raise Unavailable("agent_not_admitted", "Dial again.", retry_after_seconds=1)

    def stand_before(app: Any) -> None:
        app.asgi_app = MachineDoor(app.asgi_app, path, gate, gateway, sockets, token_of, came)

    routes.record_once(lambda setup: stand_before(setup.app))
    return routes


class MachineDoor:
    """Serves those that may come in by this path, and leaves everything else to the application behind it."""

    def __init__(
        self,
        application: Any,
        path: str,
        gate: Gate,
        gateway: Gateway,
        sockets: Sockets,
        token_of: TokenOf,
        came: RequestCame | None,
    ) -> None:
        self._application = application
        self._path = path
        self._token_of = token_of
        self._gate = gate
        self._gateway = gateway
        self._sockets = sockets
        self._came = came

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "websocket" or path_of(scope["path"]) != self._path or not (token := self._admitted(scope)):
            await self._application(scope, receive, send)
        elif (await receive())["type"] == "websocket.connect":
            if self._came is not None:
                # It has no request id: nobody asked for it, and nobody waits for an answer.
                self._came(self._path, "")
            scope["state"][OWN_HEARTBEAT] = True
            socket = AsgiSocket(receive, send)
            await self._serve(socket, token)
            self._note(socket, token, scope)

    def _admitted(self, scope: WebsocketScope) -> Secret | None:
        headers = _headers_of(scope)
        try:
            self._sockets.require_open()
            token = self._token_of(headers, scope["query_string"])
            _require_patience(self._gate, token, headers, _peer_of(scope))
        except SpuntoError:
            return None
        return token

    async def _serve(self, socket: AsgiSocket, token: Secret) -> None:
        with self._sockets.registered(socket):
            await socket.accept()
            await attend(self._gateway, socket, token)

    def _note(self, socket: AsgiSocket, token: Secret, scope: WebsocketScope) -> None:
        if socket.was_refused:
            self._gate.limits.note(Limit.FAILURE, self._gate.clients.of(_peer_of(scope), _headers_of(scope)))
        else:
            self._gate.remember(token.reveal())


def _require_patience(gate: Gate, token: Secret, headers: Headers, peer: str | None) -> None:
    gate.require_patience(token.reveal(), headers, peer)
    gate.take(Limit.CONNECT, headers, peer)


def _headers_of(scope: WebsocketScope) -> Headers:
    return Headers([(name.decode("latin1"), value.decode("latin1")) for name, value in scope["headers"]])


def _peer_of(scope: WebsocketScope) -> str | None:
    client = scope.get("client")
    return None if client is None else client[0]


def _token_of(headers: Headers, query: bytes) -> Secret:
    """The node's token: as Bearer, or in the query, where proxies may log it. Raises Unauthenticated."""
    token = bearer_of(headers)
    if token is not None:
        return token
    given = parse_qs(query.decode("latin1")).get("token")
    if given is None:
        raise Unauthenticated("credential_missing", "Send the node's token as `Authorization: Bearer <token>`.")
    return Secret(given[0])
