"""Long downloads and an upload through an edge, held in their midst until a test lets them go on."""

import asyncio
import hashlib
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import httptools
from tests.chaos.edges.origin import BLOCK
from tests.chaos.edges.region import EDGE_PORT, EdgeOn, Region

# More than lies in all the buffers between the worker and whoever downloads.
DOWNLOAD_BYTES: Final = 16 * 1024 * 1024
_PATIENCE_SECONDS: Final = 120.0
_BEGUN_SECONDS: Final = 30.0
_PIECE: Final = 256 * 1024


@dataclass(slots=True)
class Transfer:
    """`is_whole` as the framing tells, by length or by the last chunk; `broken` is what the connection ended by."""

    status: int = 0
    received: int = 0
    is_whole: bool = False
    broken: str = ""
    said: bytes = b""
    ended_at: float | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @property
    def is_right(self) -> bool:
        return self.is_whole and self.status == 200

    # What the parser tells

    def on_body(self, data: bytes) -> None:
        self.received += len(data)
        self.digest.update(data)
        if len(self.said) < 100:
            self.said += data[:100]

    def on_message_complete(self) -> None:
        self.is_whole = True

    async def read(self, reader: asyncio.StreamReader, pace: asyncio.Event) -> None:
        parser = httptools.HttpResponseParser(self)
        while not self.is_whole:
            data = await reader.read(_PIECE)
            if not data:
                raise ConnectionError("closed before the end")
            parser.feed_data(data)
            self.status = parser.get_status_code()
            self.begun.set()
            await pace.wait()


async def download(region: Region, edge: EdgeOn, path: str, pace: asyncio.Event, transfer: Transfer) -> None:
    await _transferred(region, edge, transfer, pace, f"GET {path} HTTP/1.1\r\n{_headers(region)}\r\n".encode(), 0)


async def upload(region: Region, edge: EdgeOn, size: int, pace: asyncio.Event, transfer: Transfer) -> None:
    """Its first half, and the second when it may go on; the worker says what arrived."""
    head = f"PUT /upload HTTP/1.1\r\n{_headers(region)}Content-Length: {size}\r\n\r\n"
    await _transferred(region, edge, transfer, pace, head.encode(), size)


async def _transferred(
    region: Region, edge: EdgeOn, transfer: Transfer, pace: asyncio.Event, head: bytes, size: int
) -> None:
    writer, connection = None, _unconnected()
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await asyncio.get_running_loop().sock_connect(connection, (edge.host.address, EDGE_PORT))
            reader, writer = await asyncio.open_connection(sock=connection)
            writer.write(head)
            await _send(writer, size // 2)
            if size:
                transfer.begun.set()
                await pace.wait()
            await _send(writer, size - size // 2)
            await transfer.read(reader, pace)
    except (OSError, TimeoutError, httptools.HttpParserError) as error:
        transfer.broken = repr(error)
    finally:
        transfer.ended_at = time.monotonic()
        transfer.begun.set()
        if writer is not None:
            writer.transport.abort()
        else:
            connection.close()


def _unconnected() -> socket.socket:
    connection = socket.socket()
    # Left to itself the kernel may take a whole download for who does not read.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _PIECE)
    connection.setblocking(False)
    return connection


async def _send(writer: asyncio.StreamWriter, size: int) -> None:
    while size > 0:
        piece = BLOCK[:size]
        size -= len(piece)
        writer.write(piece)
        await writer.drain()


def _headers(region: Region) -> str:
    return f"Host: {region.host}\r\nAuthorization: Bearer {region.token}\r\n"


def digest_of(size: int, *, halves: bool = False) -> bytes:
    """Of what is downloaded, and of what is uploaded in two halves."""
    digest = hashlib.sha256()
    for part in (size // 2, size - size // 2) if halves else (size,):
        whole, rest = divmod(part, len(BLOCK))
        for _ in range(whole):
            digest.update(BLOCK)
        digest.update(BLOCK[:rest])
    return digest.digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Of the downloads `early` ones go on with the first pace, the others and the upload with the second."""

    early: list[Transfer]
    late: list[Transfer]
    upload: Transfer
    upload_bytes: int
    first: asyncio.Event
    second: asyncio.Event

    @property
    def downloads(self) -> list[Transfer]:
        return [*self.early, *self.late]

    @property
    def transfers(self) -> list[Transfer]:
        return [*self.downloads, self.upload]

    def require_no_lie(self) -> None:
        """What looks whole is whole."""
        expected = digest_of(DOWNLOAD_BYTES)
        assert [each for each in self.downloads if each.is_right and each.digest.digest() != expected] == []
        if self.upload.is_right:
            assert self.upload.said.decode() == digest_of(self.upload_bytes, halves=True).hex()

    @property
    def broken(self) -> int:
        return sum(not each.is_right for each in self.transfers)


@asynccontextmanager
async def loaded(region: Region, edge: EdgeOn, *, downloads: int, upload_bytes: int) -> AsyncIterator[Load]:
    """All have begun, and none can be over before its pace is set; they are over behind the block."""
    load = Load(
        early=[Transfer() for _ in range(downloads // 2)],
        late=[Transfer() for _ in range(downloads - downloads // 2)],
        upload=Transfer(),
        upload_bytes=upload_bytes,
        first=asyncio.Event(),
        second=asyncio.Event(),
    )
    running = [asyncio.create_task(upload(region, edge, upload_bytes, load.second, load.upload), name="upload")]
    for transfers, pace in ((load.early, load.first), (load.late, load.second)):
        for number, transfer in enumerate(transfers):
            path = f"/{('bytes', 'chunks')[number % 2]}/{DOWNLOAD_BYTES}"
            running.append(asyncio.create_task(download(region, edge, path, pace, transfer), name="download"))
    try:
        async with asyncio.timeout(_BEGUN_SECONDS):
            await asyncio.gather(*(each.begun.wait() for each in load.transfers))
        assert not any(each.broken for each in load.transfers), {each.broken for each in load.transfers}
        yield load
        load.first.set()
        load.second.set()
        await asyncio.gather(*running)
    finally:
        for task in running:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*running, return_exceptions=True)
