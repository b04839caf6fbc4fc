"""The HTTP door of a harness without a socket: the real application and the real client in one process."""

from typing import Any, cast

import httpx

from spunto.client.client import SpuntoClient
from spunto.client.retry import NO_RETRY
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.http.app import Place, create_app
from spunto.entrypoints.http.streaming import Streams
from spunto.entrypoints.library import Spunto
from spunto.entrypoints.serving.addresses import ClientAddresses
from spunto.entrypoints.serving.limits import Gate, Limits
from spunto.entrypoints.serving.security import Doorkeeper, PublicAddress
from spunto.entrypoints.ws.sockets import Sockets
from spunto.entrypoints.ws.terminal import terminal_blueprint
from spunto.testing.sockets import InProcessSocket

URL = "http://127.0.0.1:8000"


def client_of(spunto: Spunto, token: Secret, *, clock: Clock) -> SpuntoClient:
    """A client that calls the application directly. Nothing is repeated, so that a test sees every refusal."""

    async def readiness() -> str | None:
        return None

    address = PublicAddress(url=URL)
    gate = Gate(Doorkeeper(spunto.access, address), Limits({}, clock=clock), ClientAddresses())
    place = Place(streams=Streams(spunto.wakeups), readiness=readiness, address=address, gate=gate)
    terminals = terminal_blueprint(gate, spunto.reach, spunto.terminals, Sockets(), spunto.standing)
    # Quart and httpx describe the same ASGI in types of their own.
    app = cast("Any", create_app(spunto, place, doors=(terminals,)))

    async def connect(url: str, *, additional_headers: dict[str, str], **_: object) -> InProcessSocket:
        return await InProcessSocket.dial(app, url, additional_headers)

    return SpuntoClient(URL, token, retry=NO_RETRY, clock=clock, transport=httpx.ASGITransport(app), connect=connect)
