"""Servers behind the door: strict ones, that note each request they see, and ones that do whatever a test says."""

import asyncio
import hashlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import h11

from spunto.entrypoints.edge.seams import Target
from spunto.entrypoints.edge.sockets import tcp_target

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request as it arrived. Of headers that came twice the last one."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    trailers: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> bytes:
        """What the answer tells of it, so that a client knows whose answer it got."""
        return f"{self.method} {self.target} {len(self.body)} {hashlib.sha256(self.body).hexdigest()}".encode()


@dataclass(slots=True)
class Origin:
    port: int = 0
    requests: list[Seen] = field(default_factory=list)
    connections: int = 0
    ended: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    """Released for each connection that it ended."""
    broken: list[str] = field(default_factory=list)
    """What came that was no request."""

    @property
    def target(self) -> Target:
        return tcp_target("127.0.0.1", self.port)


@asynccontextmanager
async def listening(handle: Callable[[Reader, Writer], Awaitable[None]], origin: Origin) -> AsyncIterator[Origin]:
    """A server whose connections are handled by that; each is closed behind it."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: Reader, writer: Writer) -> None:
        origin.connections += 1
        tasks.add(task := asyncio.current_task())  # type: ignore[arg-type]
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await handle(reader, writer)
        finally:
            tasks.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            origin.ended.release()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    origin.port = server.sockets[0].getsockname()[1]
    try:
        yield origin
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def strict_origin() -> AsyncIterator[Origin]:
    """Answers with the digest of what it saw, and takes nothing that h11 does not take."""
    origin = Origin()

    async def handle(reader: Reader, writer: Writer) -> None:
        parser = h11.Connection(h11.SERVER)
        while parser.our_state is h11.IDLE:
            try:
                seen = await _request(parser, reader, writer)
            except h11.RemoteProtocolError as error:
                origin.broken.append(str(error))
                return
            if seen is None:
                return
            origin.requests.append(seen)
            headers = [("content-length", str(len(seen.digest))), ("x-saw", seen.target)]
            writer.write(parser.send(h11.Response(status_code=200, headers=headers)) or b"")
            writer.write(parser.send(h11.Data(data=seen.digest)) or b"")
            writer.write(parser.send(h11.EndOfMessage()) or b"")
            await writer.drain()
            if h11.MUST_CLOSE in (parser.our_state, parser.their_state):
                return
            parser.start_next_cycle()

    async with listening(handle, origin):
        yield origin


@asynccontextmanager
async def scripted_origin(handle: Callable[[Reader, Writer], Awaitable[None]]) -> AsyncIterator[Origin]:
    async with listening(handle, Origin()) as origin:
        yield origin


@asynccontextmanager
async def saying(*answers: bytes) -> AsyncIterator[Origin]:
    """Says these bytes, one for each head that comes, and ends the connection behind the last of them."""

    async def handle(reader: Reader, writer: Writer) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()

    async with scripted_origin(handle) as origin:
        yield origin


def reset(writer: Writer) -> None:
    """End a connection as a program that crashed does."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _request(parser: h11.Connection, reader: Reader, writer: Writer) -> Seen | None:
    request: h11.Request | None = None
    body: list[bytes] = []
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            if parser.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                writer.write(parser.send(go_on) or b"")
            parser.receive_data(await reader.read(1 << 16))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            return Seen(
                method=request.method.decode(),
                target=request.target.decode("latin1"),
                headers={name.decode(): value.decode("latin1") for name, value in request.headers},
                body=b"".join(body),
                trailers={name.decode(): value.decode("latin1") for name, value in event.headers},
            )
        else:
            return None
