"""WebSockets go through as they are, once the origin has agreed; everything else is an answer like any other."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from tests.integration.edge.doors import QUICK, SOON_SECONDS, door_to
from tests.integration.edge.origins import Origin, Reader, Writer, reset, saying, scripted_origin
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

CHAT = [Subprotocol("chat")]
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
ASK = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n" % KEY
)
AGREED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: %b\r\n\r\n"
    % ACCEPT
)


@asynccontextmanager
async def echoing() -> AsyncIterator[Origin]:
    async def echo(socket: ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    async with serve(echo, "127.0.0.1", 0, subprotocols=CHAT, max_size=None) as server:
        yield Origin(port=server.sockets[0].getsockname()[1])


async def test_messages_pass_both_ways() -> None:
    messages: list[str | bytes] = ["a", "é" * 1000, os.urandom(3 * 1024 * 1024), b""]

    async with (
        echoing() as origin,
        door_to(origin.target) as door,
        connect(f"ws://127.0.0.1:{door.port}/x", subprotocols=CHAT, max_size=None) as socket,
    ):
        for message in messages:
            await socket.send(message)
        assert [await socket.recv() for _ in messages] == messages
        assert socket.subprotocol == "chat"
        await socket.close(4321, "enough")
        assert (socket.close_code, socket.close_reason) == (4321, "enough")


async def test_bytes_pass_as_they_are_and_each_side_ends_for_itself() -> None:
    async def handle(reader: Reader, writer: Writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert b"\r\nconnection: upgrade\r\nupgrade: websocket\r\n" in head
        writer.write(AGREED + b"first\r\n\r\n")
        writer.write(await reader.read())
        await writer.drain()

    async with scripted_origin(handle) as origin, door_to(origin.target) as door, door.connected() as wire:
        await wire.send(ASK + b"early ")
        await wire.send(b"late")
        wire.end()
        head, _, rest = (await wire.rest()).partition(b"\r\n\r\n")

    assert rest == b"first\r\n\r\nearly late"
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 101 Switching Protocols",
        b"sec-websocket-accept: " + ACCEPT,
        b"connection: Upgrade",
        b"upgrade: websocket",
    ]


async def test_the_origin_may_end_first() -> None:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(AGREED)
        writer.write_eof()
        heard.set_result(await reader.read())

    async with scripted_origin(handle) as origin, door_to(origin.target) as door, door.connected() as wire:
        await wire.send(ASK)
        assert (await wire.rest()).endswith(b"\r\n\r\n")
        await wire.send(b"last words")
        wire.end()
        assert await heard == b"last words"


@pytest.mark.parametrize(
    "answer",
    [
        AGREED.replace(ACCEPT, b"wrong"),
        AGREED.replace(b"Sec-WebSocket-Accept", b"X"),
        AGREED.replace(b"Upgrade: WebSocket", b"Upgrade: h2c"),
        AGREED.replace(b"Upgrade: WebSocket\r\n", b""),
        AGREED.replace(b"Connection: upgrade\r\n", b""),
        AGREED.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Accept: " + ACCEPT + b"\r\n\r\n"),
    ],
)
async def test_who_has_not_agreed_gets_no_bytes(answer: bytes) -> None:
    async with saying(answer) as origin, door_to(origin.target) as door:
        got = await door.ask(ASK)

    assert (got.status, got.body) == (502, b"bad_answer")


@pytest.mark.parametrize("status", [b"200 OK", b"403 No", b"426 Upgrade Required"])
async def test_another_answer_is_passed_on_and_ends_the_connection(status: bytes) -> None:
    answer = b"HTTP/1.1 %b\r\nContent-Length: 2\r\n\r\nno" % status

    async with saying(answer) as origin, door_to(origin.target) as door, door.connected() as wire:
        await wire.send(ASK + b"GET /planted HTTP/1.1\r\nHost: a\r\n\r\n")
        got = await wire.answer()
        wire.end()
        assert await wire.rest() == b""

    assert (got.status, got.body, got.headers["connection"]) == (int(status.split()[0]), b"no", "close")
    assert origin.connections == 1


async def test_access_that_is_taken_back_ends_a_socket() -> None:
    may = True

    async with echoing() as origin, door_to(origin.target, times=QUICK) as door:
        door.decider.still_may = lambda _: may
        async with connect(f"ws://127.0.0.1:{door.port}/", subprotocols=CHAT) as socket:
            await socket.send("a")
            assert await socket.recv() == "a"
            may = False
            with pytest.raises(ConnectionClosed):
                async with asyncio.timeout(SOON_SECONDS):
                    await socket.recv()


async def test_a_socket_without_a_word_is_not_ended() -> None:
    moves: list[bool] = []
    asked = asyncio.Event()

    def still_may(moved: bool) -> bool:
        moves.append(moved)
        if len(moves) * QUICK.tick > 2 * max(QUICK.stalled, QUICK.idle):
            asked.set()
        return True

    async with echoing() as origin, door_to(origin.target, times=QUICK) as door:
        door.decider.still_may = still_may
        async with connect(f"ws://127.0.0.1:{door.port}/", subprotocols=CHAT, ping_interval=None) as socket:
            moves.clear()
            asked.clear()
            await asked.wait()
            assert True not in moves[1:]
            await socket.send("a")
            assert await socket.recv() == "a"


async def test_whoever_breaks_off_breaks_off_the_other() -> None:
    went: asyncio.Queue[str] = asyncio.Queue()
    leave = asyncio.Event()

    async def handle(reader: Reader, writer: Writer) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1]
        writer.write(AGREED)
        await writer.drain()
        if path == b"/origin":
            await leave.wait()
            reset(writer)
            return
        with suppress(ConnectionResetError):
            await reader.read()
        went.put_nowait("client")

    async with scripted_origin(handle) as origin, door_to(origin.target) as door:
        async with door.connected() as wire:
            await wire.send(ASK.replace(b"/ws", b"/origin"))
            assert (await wire.read()).startswith(b"HTTP/1.1 101")
            leave.set()
            with pytest.raises(ConnectionResetError):
                await wire.rest()
        async with door.connected() as wire:
            await wire.send(ASK)
            assert (await wire.read()).startswith(b"HTTP/1.1 101")
            reset(wire.writer)
        async with asyncio.timeout(SOON_SECONDS):
            assert await went.get() == "client"
