"""The door for edges: few, each on one WebSocket for as long as it lives."""

from quart import Blueprint
from werkzeug.datastructures import Headers

from spunto.core.kernel.errors import Unauthenticated
from spunto.core.kernel.secret import Secret
from spunto.core.routes.gateway import EdgeGateway
from spunto.entrypoints.serving.limits import Gate
from spunto.entrypoints.serving.security import bearer_of
from spunto.entrypoints.serving.telemetry import RequestCame
from spunto.entrypoints.ws.agents import machines_blueprint
from spunto.entrypoints.ws.sockets import Sockets

PATH = "/api/edge/connect"


def edges_blueprint(
    gate: Gate, gateway: EdgeGateway, sockets: Sockets, *, came: RequestCame | None = None
) -> Blueprint:
    return machines_blueprint("edges", PATH, gate, gateway, sockets, token_of=_token_of, came=came)


def _token_of(headers: Headers, _: bytes) -> Secret:
    """The edge's token, as Bearer alone: a query ends up in logs. Raises Unauthenticated."""
    token = bearer_of(headers)
    if token is None:
        raise Unauthenticated("credential_missing", "Send the edge's token as `Authorization: Bearer <token>`.")
    return token
