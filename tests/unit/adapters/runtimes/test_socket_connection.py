"""A program that breaks off behind what it said, as those that answer early do: nothing of that is lost."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import uvloop

from spunto.adapters.runtimes.socket_connection import SocketConnection
from spunto.core.executor.port_connection import PortBroken
from spunto.core.kernel.errors import SpuntoError
from spunto.entrypoints.edge.sockets import SocketUpstream

ANSWER = b"HTTP/1.1 413 Too Large\r\n\r\n"
LARGE = bytes(30_000)
LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])

Connection = SocketConnection | SocketUpstream


async def port(connected: socket.socket) -> SocketConnection:
    return await SocketConnection.on(connected)


async def upstream(connected: socket.socket) -> SocketUpstream:
    _, made = await asyncio.get_running_loop().create_connection(SocketUpstream, sock=connected)
    return made


ENDS = pytest.mark.parametrize("on", [port, upstream])
On = Callable[[socket.socket], Awaitable[Connection]]


def connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    ours.setblocking(False)
    return ours, theirs


async def said(connection: Connection) -> tuple[bytes, str]:
    """What comes, and how it ends."""
    told = b""
    try:
        async with asyncio.timeout(10):
            while (data := await connection.read()) is not None:
                told += data
    except SpuntoError as error:
        return told, error.code
    return told, "end"


def run(loop: Callable[[], asyncio.AbstractEventLoop], play: Awaitable[tuple[bytes, str]]) -> tuple[bytes, str]:
    async def played() -> tuple[bytes, str]:
        return await play

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(played())


@LOOPS
@ENDS
@pytest.mark.parametrize("answer", [ANSWER, LARGE], ids=["short", "long"])
def test_what_was_said_before_a_reset_is_read_though_writing_fails(
    loop: Callable[[], asyncio.AbstractEventLoop], on: On, answer: bytes
) -> None:
    async def play() -> tuple[bytes, str]:
        ours, theirs = connected()
        connection = await on(ours)
        await connection.write(b"begin")
        theirs.sendall(answer)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        # The loop has had no turn to read.
        with suppress(SpuntoError):
            await connection.write(b"more")
        told = await said(connection)
        await connection.aclose()
        return told

    told, end = run(loop, play())

    assert (told, end) in ((answer, "connection_reset"), (answer, "connection_broke"))


@LOOPS
@ENDS
def test_an_end_before_the_reset_is_an_end(loop: Callable[[], asyncio.AbstractEventLoop], on: On) -> None:
    async def play() -> tuple[bytes, str]:
        ours, theirs = connected()
        connection = await on(ours)
        theirs.sendall(ANSWER)
        theirs.close()
        # The first is answered by a reset, which the second notices.
        for _ in range(2):
            with suppress(SpuntoError):
                await connection.write(b"more")
        told = await said(connection)
        await connection.aclose()
        return told

    assert run(loop, play()) == (ANSWER, "end")


@LOOPS
@ENDS
def test_what_nobody_reads_any_more_is_let_go_of(loop: Callable[[], asyncio.AbstractEventLoop], on: On) -> None:
    """Tests fail of sockets that are left open."""

    async def play() -> tuple[bytes, str]:
        ours, theirs = connected()
        connection = await on(ours)
        await connection.write(b"begin")
        theirs.sendall(ANSWER)
        theirs.close()
        with suppress(SpuntoError):
            await connection.write(b"more")
        await asyncio.sleep(0)
        if isinstance(connection, SocketConnection):
            connection.abort()
            with pytest.raises(PortBroken):
                await connection.read()
        else:
            connection.reset("idle")
        return b"", ""

    run(loop, play())
