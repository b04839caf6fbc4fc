"""How an agent dials: certificates are verified, and whatever is no edge's answer ends the attempt."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.integration.agent.socket_server import socket_server
from tests.integration.edge.relay_door import EdgeLab, edge_lab
from tests.integration.webhooks.certificates import server_context

from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.ids import TimeOrderedIds
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.model import NodeId
from spunto.core.protocol.connection import Connection
from spunto.core.protocol.messages import StateMessage
from spunto.core.protocol.relaying import CONNECTED, RELAY_SETTINGS, TCP, relay_hello
from spunto.core.protocol.stream import Stream
from spunto_agent.relay import EdgeDialler

NODE = NodeId(TimeOrderedIds(SystemClock()).new("nod"))


@pytest.fixture
async def root(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    return server_context(tmp_path, "localhost")


@asynccontextmanager
async def an_edge(context: ssl.SSLContext | None = None) -> AsyncIterator[EdgeLab]:
    async with socket_server(NODE) as server, edge_lab(server, host="localhost", context=context) as edge:
        yield edge


async def answer_of(response: bytes) -> Unavailable:
    """What dialling ends with where that is answered to the upgrade."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        with pytest.raises(Unavailable) as failed:
            await EdgeDialler("http://127.0.0.1", [])(url, Secret("ticket"))
    return failed.value


async def test_an_edge_with_a_good_certificate_is_spoken_to(
    root: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, vouching = root
    monkeypatch.setenv("SSL_CERT_FILE", str(vouching))

    async def echo(stream: Stream) -> None:
        await stream.send_control(CONNECTED)
        while (data := await stream.read()) is not None:
            await stream.write(data)
        await stream.write_eof()

    async def pass_over(_: Connection, __: StateMessage) -> None: ...

    async with an_edge(context) as edge, asyncio.timeout(20):
        transport = await EdgeDialler("https://localhost", [])(edge.url, edge.tickets.new(NODE))
        hello = relay_hello(instance_id="i", agent_version="1")
        agent = Connection.agent(
            transport,
            clock=SystemClock(),
            hello=hello,
            on_message=pass_over,
            on_stream=echo,
            settings=RELAY_SETTINGS,
        )
        running = asyncio.ensure_future(agent.run())
        await agent.ready()
        stream = await edge.connect("wkr_any", 8001)
        sent = bytes(range(256)) * 4096
        await stream.write(sent)
        await stream.write_eof()
        came = b"".join([data async for data in _pieces(stream)])
        agent.close(1000, "over")
        await running

    assert (came, stream.kind) == (sent, TCP)


async def test_an_edge_whose_certificate_nobody_vouches_for_is_not_spoken_to(
    root: tuple[ssl.SSLContext, Path],
) -> None:
    async with an_edge(root[0]) as edge:
        ticket = edge.tickets.new(NODE)
        with pytest.raises(Unavailable) as failed:
            await EdgeDialler("https://localhost", [])(edge.url, ticket)

        unspent = edge.tickets.redeem(ticket.reveal())

    assert (failed.value.code, "certificate" in failed.value.message, unspent) == ("dial_failed", True, NODE)


async def test_a_redirect_is_not_followed() -> None:
    async with an_edge() as edge:
        ticket = edge.tickets.new(NODE)
        location = f"{edge.url}/api/tunnel/relay"

        failed = await answer_of(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())

        unspent = edge.tickets.redeem(ticket.reveal())

    assert (failed.code, unspent) == ("dial_failed", NODE)


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"no HTTP at all\r\n\r\n",
        b"",
    ],
)
async def test_what_is_no_upgrade_fails(response: bytes) -> None:
    assert (await answer_of(response)).code == "dial_failed"


async def _pieces(stream: Stream) -> AsyncIterator[bytes]:
    while (data := await stream.read()) is not None:
        yield data
