"""What runs in a worker under load: `python3 origin.py PORT`. Downloads of any length, an echo, and uploads."""

import asyncio
import base64
import hashlib
import sys

BLOCK = bytes(range(256)) * 256


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode("latin1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            await _answer(lines[0].split()[1].split("/")[1:], headers, reader, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _answer(
    path: "list[str]", headers: "dict[str, str]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    kind, size = path[0], int(path[1]) if len(path) > 1 else 0
    if kind == "bytes":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        await _pour(writer, size, is_chunked=False)
    elif kind == "chunks":
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await _pour(writer, size, is_chunked=True)
        writer.write(b"0\r\n\r\n")
    elif kind == "upload":
        await _say(writer, await _digest(reader, int(headers["content-length"])))
    elif kind == "deaf":
        await asyncio.Event().wait()
    elif kind == "reset":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        await _pour(writer, size // 2, is_chunked=False)
        writer.transport.abort()
    elif kind == "socket":
        await _echo(headers, reader, writer)
    else:
        await _say(writer, b"here")


async def _say(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()


async def _pour(writer: asyncio.StreamWriter, size: int, *, is_chunked: bool) -> None:
    while size > 0:
        piece = BLOCK[:size]
        size -= len(piece)
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)
        await writer.drain()


async def _digest(reader: asyncio.StreamReader, left: int) -> bytes:
    digest = hashlib.sha256()
    while left > 0:
        piece = await reader.read(min(left, 1 << 18))
        if not piece:
            raise asyncio.IncompleteReadError(b"", left)
        digest.update(piece)
        left -= len(piece)
    return digest.hexdigest().encode()


async def _echo(headers: "dict[str, str]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Short messages come back, until the other end goes."""
    key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accepted = base64.b64encode(hashlib.sha1(key.encode()).digest())
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
    writer.write(b"Sec-WebSocket-Accept: " + accepted + b"\r\n\r\n")
    while True:
        kind, size = await reader.readexactly(2)
        mask, said = await reader.readexactly(4), await reader.readexactly(size & 0x7F)
        body = bytes(byte ^ mask[place % 4] for place, byte in enumerate(said))
        writer.write(bytes([kind, len(body)]) + body)
        await writer.drain()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=1024, limit=1 << 18)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
