"""A front door with a decider of the tests' own, and connections to it by hand."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import h11

from spunto.core.kernel.errors import SpuntoError
from spunto.entrypoints.edge.http.front import Front
from spunto.entrypoints.edge.http.headers import from_worker, to_worker
from spunto.entrypoints.edge.http.times import Times
from spunto.entrypoints.edge.seams import Answer, Forward, Handover, Headers, RequestHead, Target
from spunto.entrypoints.serving.crowd import Crowd
from spunto.entrypoints.serving.heads import Fault

SOON_SECONDS: Final = 10.0
QUICK: Final = Times(tick=0.02, head=0.3, idle=0.4, stalled=0.5, leaving=0.3, connect=1.0)
"""For tests that wait for somebody to be given up."""

Decision = Forward | Answer | Handover


class Cut(Exception):
    """The connection ended in the midst of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """An answer as a strict client reads it."""

    status: int
    headers: dict[str, str]
    body: bytes
    trailers: dict[str, str] = field(default_factory=dict)
    interim: tuple[int, ...] = ()


class OneWay:
    """Sends everything to one target, unless the test decides otherwise."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.asked: list[RequestHead] = []
        self.decide_otherwise: Callable[[RequestHead], Decision | None] = lambda _: None
        self.still_may: Callable[[bool], bool] = lambda _: True
        self.parked: Callable[[], Awaitable[None]] = _not_at_all
        self.reached = 0

    async def decide(self, request: RequestHead) -> Decision:
        self.asked.append(request)
        await self.parked()
        return self.decide_otherwise(request) or self.forward(request)

    def forward(self, request: RequestHead) -> Forward:
        def edit(_: int, headers: Headers) -> Headers:
            return from_worker(headers)

        return Forward(
            target=self.target,
            headers=to_worker(request, client=request.peer, scheme="http"),
            edit_response=edit,
            still_may=lambda moved: self.still_may(moved),
            reached=self._note_reached,
        )

    def _note_reached(self) -> None:
        self.reached += 1

    def shown(self, request: RequestHead, fault: Fault) -> Answer | None:
        return None

    def failed(self, request: RequestHead, error: SpuntoError) -> Answer:
        return Answer(status=502, headers=[(b"content-type", b"text/plain")], body=error.code.encode())


class Wire:
    """A client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._rest = b""

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        async with asyncio.timeout(SOON_SECONDS):
            await self.writer.drain()

    def end(self) -> None:
        """Say that nothing more is sent."""
        self.writer.write_eof()

    async def ask(self, raw: bytes) -> Got:
        await self.send(raw)
        return await self.answer(raw.split(b" ", 1)[0].decode())

    async def answer(self, method: str = "GET") -> Got:
        """Raises Cut for one that is not whole, and for none."""
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method=method, target="/", headers=[("host", "any")]))
        parser.send(h11.EndOfMessage())
        parser.receive_data(self._rest) if self._rest else None
        interim: list[int] = []
        response: h11.Response | None = None
        body: list[bytes] = []
        try:
            while not isinstance(event := await self._next(parser), h11.EndOfMessage):
                if isinstance(event, h11.InformationalResponse):
                    interim.append(event.status_code)
                elif isinstance(event, h11.Response):
                    response = event
                elif isinstance(event, h11.Data):
                    body.append(bytes(event.data))
                else:
                    raise Cut(repr(event))
        except (h11.RemoteProtocolError, ConnectionResetError) as error:
            raise Cut(str(error)) from error
        assert response is not None
        self._rest = parser.trailing_data[0]
        return Got(
            status=response.status_code,
            headers=_texts(response.headers),
            body=b"".join(body),
            trailers=_texts(event.headers),
            interim=tuple(interim),
        )

    async def _next(self, parser: h11.Connection) -> object:
        while (event := parser.next_event()) is h11.NEED_DATA:
            parser.receive_data(await self.read())
        return event

    async def read(self) -> bytes:
        async with asyncio.timeout(SOON_SECONDS):
            return await self.reader.read(1 << 20)

    async def rest(self) -> bytes:
        """What comes until the end. Raises ConnectionResetError."""
        read, self._rest = [self._rest], b""
        while data := await self.read():
            read.append(data)
        return b"".join(read)


class Door:
    def __init__(self, front: Front, listener: socket.socket, decider: OneWay, crowd: Crowd) -> None:
        self.front = front
        self.family = listener.family
        self.address = listener.getsockname()
        self.decider = decider
        self.crowd = crowd

    @asynccontextmanager
    async def connected(self, *, receive_bytes: int | None = None) -> AsyncIterator[Wire]:
        connection = socket.socket(self.family)
        if receive_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, self.address)
        reader, writer = await asyncio.open_connection(sock=connection, limit=1 << 16)
        try:
            yield Wire(reader, writer)
        finally:
            writer.transport.abort()

    @property
    def port(self) -> int:
        return int(self.address[1])

    async def ask(self, raw: bytes) -> Got:
        async with self.connected() as wire:
            return await wire.ask(raw)


@asynccontextmanager
async def door_to(
    target: Target, *, times: Times | None = None, capacity: int = 1000, path: Path | None = None
) -> AsyncIterator[Door]:
    """At a TCP port, or at the path of a Unix socket."""
    decider = OneWay(target)
    crowd = Crowd(capacity, monotonic=asyncio.get_running_loop().time)
    front = Front(decider, crowd=crowd, times=times)
    listener = socket.socket(socket.AF_INET if path is None else socket.AF_UNIX)
    listener.bind(("127.0.0.1", 0) if path is None else str(path))
    await front.listen(listener)
    try:
        yield Door(front, listener, decider, crowd)
    finally:
        await front.aclose()


async def _not_at_all() -> None:
    pass


def _texts(headers: object) -> dict[str, str]:
    return {name.decode(): value.decode("latin1") for name, value in headers}  # type: ignore[attr-defined]
