"""As much HTTP as it takes to ask an engine at its socket: one request a connection, and the upgraded one of an exec.

The libraries for it would take more memory than the whole holder may.
"""

import asyncio
import json
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

from spunto.core.executor.runtime import EngineRefused, EngineUnavailable

CALL_SECONDS: Final = 30.0
_MAX_BODY_BYTES: Final = 4 * 1024 * 1024
_UPGRADE: Final = "Connection: Upgrade\r\nUpgrade: tcp\r\n"

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Refusal(EngineRefused):
    """The engine answered with an error status."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class EngineDoor:
    """An engine by the URL of its Unix socket."""

    def __init__(self, url: str) -> None:
        self._path = urlsplit(url).path

    @staticmethod
    def opens(url: str) -> bool:
        """Whether it is such a one."""
        return urlsplit(url).scheme == "unix"

    async def call(self, method: str, path: str, body: Any = None, *, seconds: float = CALL_SECONDS) -> Any:
        """The answer's JSON, None where it has none. Raises Refusal, EngineUnavailable."""
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await asyncio.open_unix_connection(self._path)
                try:
                    writer.write(_request(method, path, body, "Connection: close\r\n"))
                    status, headers = await _head(reader)
                    text = await _body(reader, headers)
                finally:
                    writer.close()
        except TimeoutError as error:
            raise EngineUnavailable("it took too long") from error
        except (OSError, EOFError, ValueError) as error:
            raise EngineUnavailable(str(error) or type(error).__name__) from error
        if status >= 400:
            raise Refusal(status, _words(text))
        return json.loads(text) if text.strip() else None

    async def upgrade(self, path: str, body: Any, *, seconds: float = CALL_SECONDS) -> Ends:
        """A connection that carries the command's bytes from now on. Raises Refusal, EngineUnavailable."""
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await asyncio.open_unix_connection(self._path)
                try:
                    writer.write(_request("POST", path, body, _UPGRADE))
                    status, headers = await _head(reader)
                    if status in (101, 200):
                        return reader, writer
                    text = await _body(reader, headers)
                except BaseException:
                    writer.close()
                    raise
                writer.close()
        except TimeoutError as error:
            raise EngineUnavailable("it took too long") from error
        except (OSError, EOFError, ValueError) as error:
            raise EngineUnavailable(str(error) or type(error).__name__) from error
        raise Refusal(status, _words(text))


def _request(method: str, path: str, body: Any, connection: str) -> bytes:
    text = b"" if body is None else json.dumps(body).encode()
    kind = "" if body is None else "Content-Type: application/json\r\n"
    head = f"{method} {path} HTTP/1.1\r\nHost: engine\r\n{connection}{kind}Content-Length: {len(text)}\r\n\r\n"
    return head.encode() + text


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Status and headers by their names in lower case. Raises EOFError, ValueError."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split(" ", 2)[1]), headers


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    """Raises EOFError, ValueError."""
    if "chunked" in headers.get("transfer-encoding", ""):
        return await _chunks(reader)
    if "content-length" in headers:
        return await reader.readexactly(min(int(headers["content-length"]), _MAX_BODY_BYTES))
    return await reader.read(_MAX_BODY_BYTES)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while len(body) <= _MAX_BODY_BYTES:
        size_bytes = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if size_bytes == 0:
            return bytes(body)
        body += await reader.readexactly(size_bytes)
        await reader.readexactly(2)
    raise ValueError("the answer is too long")


def _words(text: bytes) -> str:
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(text)["message"]).strip()
    return text.decode("utf-8", "replace").strip()
