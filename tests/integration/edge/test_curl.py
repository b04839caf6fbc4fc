"""curl, as people use it, against a door with an origin behind it."""

import asyncio
import os
from pathlib import Path

import pytest
from tests.integration.edge.doors import door_to
from tests.integration.edge.origins import Reader, Writer, scripted_origin

CONTENT = os.urandom(3 * 1024 * 1024)


async def serve_content(reader: Reader, writer: Writer) -> None:
    """Ranges of it, what was uploaded, or nothing but the head."""
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if head.startswith(b"get /part"):
            assert b"\r\nrange: bytes=1000-\r\n" in head
            writer.write(b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1000-%d/%d\r\n" % (_END, len(CONTENT)))
            writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(CONTENT) - 1000, CONTENT[1000:]))
        elif head.startswith(b"put /"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await reader.readexactly(len(CONTENT))
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(body), 70_000):
                piece = body[at : at + 70_000]
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
        elif head.startswith(b"head /"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT))
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(CONTENT), CONTENT))
        await writer.drain()


_END = len(CONTENT) - 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["/whole"], CONTENT),
        (["--http1.0", "/whole"], CONTENT),
        (["--http2-prior-knowledge", "/whole"], None),
        (["--http2", "/whole"], None),
        (["--continue-at", "1000", "/part"], CONTENT[1000:]),
        (["--upload-file", "@", "--header", "Expect: 100-continue", "/up"], CONTENT),
        (["--upload-file", "@", "--header", "Expect:", "/up"], CONTENT),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_curl_gets_what_it_asks_for(arguments: list[str], expected: bytes | None, tmp_path: Path) -> None:
    upload, got = tmp_path / "upload", tmp_path / "got"
    upload.write_bytes(CONTENT)
    got.write_bytes(CONTENT[:1000] if "--continue-at" in arguments else b"")

    async with scripted_origin(serve_content) as origin, door_to(origin.target) as door:
        *options, path = [str(upload) if each == "@" else each for each in arguments]
        command = ["curl", "--silent", "--fail", "--max-time", "20", "--output", str(got), *options]
        status = await _run(*command, f"http://127.0.0.1:{door.port}{path}")

    assert (status == 0) == (expected is not None)
    if expected is not None:
        assert got.read_bytes().endswith(expected)
        assert len(got.read_bytes()) == len(CONTENT)


async def test_curl_notices_a_download_that_breaks_off(tmp_path: Path) -> None:
    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(CONTENT), CONTENT[:-1]))
        await writer.drain()

    async with scripted_origin(handle) as origin, door_to(origin.target) as door:
        status = await _run("curl", "--silent", "--output", str(tmp_path / "x"), f"http://127.0.0.1:{door.port}/")

    assert status in (18, 56)


async def _run(*command: str) -> int:
    process = await asyncio.create_subprocess_exec(*command)
    return await process.wait()
