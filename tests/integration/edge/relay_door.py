"""An edge's door for agents, as small as it can be: who has no ticket gets 404."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from tests.integration.agent.socket_server import SocketServer

from spunto.core.kernel.clock import ManualClock, SystemClock
from spunto.core.kernel.secret import Secret
from spunto.core.protocol.relaying import DIAL, RELAY_PATH
from spunto.core.protocol.stream import Stream
from spunto.entrypoints.edge.relay_door import RelayDoor
from spunto.entrypoints.edge.relays import Relays
from spunto.entrypoints.edge.seams import RequestHead
from spunto.entrypoints.edge.tickets import Tickets

_UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


class _Head(asyncio.Protocol):
    """Reads a request's head and hands the connection over."""

    def __init__(self, door: RelayDoor) -> None:
        self._door = door
        self._read = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, unread = self._read.partition(b"\r\n\r\n")
        if not end:
            return
        line, *lines = head.split(b"\r\n")
        pairs = (each.partition(b":") for each in lines)
        headers = [(name.lower(), value.strip()) for name, _, value in pairs]
        method, path, _ = line.split(b" ")
        request = RequestHead(
            method=method,
            target=path,
            version=b"1.1",
            headers=headers,
            host="edge",
            peer="",
            is_tls=False,
            wants_upgrade=True,
        )
        taken = self._door.admit(request) if path == RELAY_PATH.encode() else None
        if taken is not None:
            taken.take(self._transport, unread)
        else:
            self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self._transport.close()


@dataclass(slots=True, kw_only=True)
class EdgeLab:
    """An edge whose orders to dial go over that server. `url` is what agents are told to dial, and `clock` the hour of
    its tickets."""

    server: SocketServer
    relays: Relays
    tickets: Tickets
    clock: ManualClock
    port: int
    url: str

    async def connect(self, subject_id: str, port: int) -> Stream:
        return await self.relays.connect(self.server.node_id, subject_id, port)

    async def ask_in(self, authorization: str | None, *, path: str = RELAY_PATH) -> int:
        """The status for somebody who asks for a relay's WebSocket."""
        given = [] if authorization is None else [f"Authorization: {authorization}"]
        lines = [f"GET {path} HTTP/1.1", "Host: edge", *given, *_UPGRADE, "", ""]
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write("\r\n".join(lines).encode())
            line = await reader.readline()
            writer.close()
        return int(line.split()[1])


@asynccontextmanager
async def edge_lab(
    server: SocketServer, *, host: str = "127.0.0.1", context: ssl.SSLContext | None = None
) -> AsyncIterator[EdgeLab]:
    async def ask_dial(_: str, ticket: Secret) -> None:
        await server.until_connected()
        assert server.connection is not None
        async with server.connection.open(DIAL, {"url": lab.url, "ticket": ticket.reveal()}) as order:
            assert await order.read() is None

    clock = ManualClock()
    tickets = Tickets(clock)
    relays = Relays(ask_dial, edge_id="edg_test", clock=SystemClock(), tickets=tickets)
    door = RelayDoor(relays, tickets)
    listening = await asyncio.get_running_loop().create_server(lambda: _Head(door), host, 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    url = f"{'http' if context is None else 'https'}://{host}:{port}"
    lab = EdgeLab(server=server, relays=relays, tickets=tickets, clock=clock, port=port, url=url)
    holding = asyncio.ensure_future(relays.run())
    try:
        yield lab
    finally:
        listening.close()
        holding.cancel()
        await asyncio.wait([holding])
