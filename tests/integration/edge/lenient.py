"""A server that reads whatever it gets, as kindly as the worst ones do: what was smuggled past the door, it finds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.integration.edge.origins import Origin, Reader, Seen, Writer, listening


@asynccontextmanager
async def lenient_origin() -> AsyncIterator[Origin]:
    origin = Origin()

    async def handle(reader: Reader, writer: Writer) -> None:
        while (seen := await _request(reader)) is not None:
            origin.requests.append(seen)
            writer.write(b"HTTP/1.1 200 OK\r\nX-Saw: %b\r\n" % seen.target.encode("latin1"))
            writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(seen.digest), seen.digest))
            await writer.drain()

    async with listening(handle, origin):
        yield origin


async def _request(reader: Reader) -> Seen | None:
    while not (line := await reader.readline()).strip():
        if not line:
            return None
    method, target, *_ = [*line.decode("latin1").split(), "", ""]
    headers = await _headers(reader)
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = await _chunks(reader)
    else:
        body = await reader.readexactly(_number(headers.get("content-length", "0").split(",")[-1], 10))
    return Seen(method=method, target=target, headers=headers, body=body)


async def _headers(reader: Reader) -> dict[str, str]:
    """Names as an environment variable has them; of two the last one counts."""
    headers: dict[str, str] = {}
    while (line := (await reader.readline()).decode("latin1")).strip("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower().replace("_", "-")] = value.strip()
    return headers


async def _chunks(reader: Reader) -> bytes:
    body = b""
    while size := _number((await _line(reader)).split(";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
    while (await _line(reader)).strip():
        pass
    return body


async def _line(reader: Reader) -> str:
    line = await reader.readline()
    if not line:
        raise asyncio.IncompleteReadError(b"", None)
    return line.decode("latin1")


def _number(text: str, base: int) -> int:
    try:
        return max(0, int(text.strip() or "0", base))
    except ValueError:
        return 0
