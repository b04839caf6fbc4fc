"""The Docker-compatible HTTP API of an engine's socket: one bounded call, or one stream that is closed at its end."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import aiodocker
import aiohttp

from spunto.core.executor.runtime import EngineRefused, EngineUnavailable

MAX_LINE_BYTES = 256 * 1024


class Refusal(EngineRefused):
    """The engine answered with an error status; where it may mean something better, the caller finds out."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words.strip())
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long an engine may take before it counts as not answering."""

    call_seconds: float = 30.0
    start_seconds: float = 120.0
    pull_seconds: float = 3600.0
    stats_interval_seconds: float = 0.25


@contextmanager
def engine_answers() -> Iterator[None]:
    """Turn what a driver raises into EngineUnavailable or Refusal."""
    try:
        yield
    except TimeoutError as error:
        raise EngineUnavailable("it took too long") from error
    except aiodocker.DockerError as error:
        if error.status == 900:  # aiodocker's own number for "can't connect"
            raise EngineUnavailable(error.message) from error
        raise Refusal(error.status, error.message) from error
    except (aiohttp.ClientError, asyncio.IncompleteReadError, OSError) as error:
        raise EngineUnavailable(str(error) or type(error).__name__) from error


@asynccontextmanager
async def bounded(seconds: float) -> AsyncIterator[None]:
    """`engine_answers` with a time limit."""
    with engine_answers():
        async with asyncio.timeout(seconds):
            yield


class EngineSocket:
    """Calls and streams over one aiodocker client, which it owns."""

    def __init__(self, client: aiodocker.Docker, timeouts: Timeouts, url: str) -> None:
        self.client = client
        self.url = url
        self._timeouts = timeouts

    @classmethod
    async def open(cls, url: str, timeouts: Timeouts) -> "EngineSocket":
        """Connect and agree on the API's version. Raises EngineUnavailable."""
        socket = cls(aiodocker.Docker(url, timeout=aiohttp.ClientTimeout()), timeouts, url)
        try:
            await socket.version()
        except BaseException:
            await socket.aclose()
            raise
        return socket

    async def version(self) -> Mapping[str, Any]:
        async with bounded(self._timeouts.call_seconds):
            return await self.client.version()

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        seconds: float | None = None,
    ) -> Any:
        """The answer's JSON, None where it has no body. Raises Refusal, EngineUnavailable."""
        async with (
            bounded(seconds or self._timeouts.call_seconds),
            self._request(method, path, params=params, json=body, data=content) as response,
        ):
            text = await response.read()
            return json.loads(text) if text.strip() else None

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        answer_seconds: float | None = None,
    ) -> AsyncIterator[aiohttp.StreamReader]:
        """The body as it comes; leaving closes the connection, which tells the engine to stop."""
        with engine_answers():
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(answer_seconds or self._timeouts.call_seconds):
                    response = await stack.enter_async_context(self._request(method, path, params=params, json=body))
                stack.callback(response.close)
                yield response.content

    @asynccontextmanager
    async def _request(self, method: str, path: str, **arguments: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        url = f"{self.client.docker_host}/{self.client.api_version}/{path}"
        limit = aiohttp.ClientTimeout()  # the caller's, not aiohttp's five minutes
        async with self.client.session.request(method, url, timeout=limit, **arguments) as response:
            if response.status >= 400:
                raise Refusal(response.status, _words(await response.text()))
            yield response

    async def aclose(self) -> None:
        await self.client.close()


async def json_lines(chunks: AsyncIterable[bytes]) -> AsyncGenerator[dict[str, Any], None]:
    """One object a line; a line beyond the limit is dropped, so that memory stays bounded."""
    pending = bytearray()
    overlong = False
    async for chunk in chunks:
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            if line.strip() and not overlong and len(line) <= MAX_LINE_BYTES:
                yield _object(line)
            overlong = False
        if len(pending) > MAX_LINE_BYTES:
            pending.clear()
            overlong = True


def _object(line: bytes | bytearray) -> dict[str, Any]:
    try:
        parsed = json.loads(line)
    except ValueError as error:
        raise EngineUnavailable("what it says is not JSON") from error
    if not isinstance(parsed, dict):
        raise EngineUnavailable("what it says is not an object")
    return parsed


def _words(text: str) -> str:
    try:
        message = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        return text
    return str(message)
