"""A server that is reached by https: what is no worker's is passed on to it by TLS, if its certificate is good."""

import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trustme
from tests.integration.edge.doors import door_to
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from spunto.entrypoints.edge.sockets import tcp_target

SERVER: Final = "127.0.0.1"


@asynccontextmanager
async def secure_server(authority: trustme.CA, name: str) -> AsyncIterator[int]:
    """It answers the page, and echoes what comes by a socket; the port."""

    async def echo(socket: ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    def page(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(200, "a page") if request.path == "/page" else None

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    async with serve(echo, SERVER, 0, ssl=context, process_request=page, max_size=None) as server:
        yield server.sockets[0].getsockname()[1]


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_requests_and_sockets_reach_it() -> None:
    authority, message = trustme.CA(), os.urandom(3 * 1024 * 1024)
    async with (
        secure_server(authority, SERVER) as port,
        door_to(tcp_target(SERVER, port, tls=trusting(authority))) as door,
        connect(f"ws://127.0.0.1:{door.port}/socket", max_size=None) as socket,
    ):
        got = await door.ask(b"GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await socket.send(message)
        echoed = await socket.recv()
        await socket.close(4321, "enough")

        assert (got.status, got.body) == (200, b"a page")
        assert echoed == message
        assert (socket.close_code, socket.close_reason) == (4321, "enough")


async def test_one_with_somebody_else_s_certificate_is_told_nothing() -> None:
    authority = trustme.CA()
    async with (
        secure_server(authority, "elsewhere.example") as port,
        door_to(tcp_target(SERVER, port, tls=trusting(authority))) as door,
    ):
        got = await door.ask(b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n")

    assert (got.status, got.body) == (502, b"not_reached")
