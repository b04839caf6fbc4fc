"""A request's body on its way to the origin, beside the answer that may come before its end."""

import asyncio
from collections.abc import Sequence
from typing import Final

from spunto.core.kernel.errors import SpuntoError
from spunto.entrypoints.edge.http.bodies import BodyReader
from spunto.entrypoints.edge.http.chunks import chunk, last_chunk
from spunto.entrypoints.edge.http.client import Client
from spunto.entrypoints.edge.http.headers import passing_trailers
from spunto.entrypoints.edge.http.malformed import MalformedMessage
from spunto.entrypoints.edge.seams import Upstream

# Whoever writes it does not listen for the answer meanwhile.
_MAX_BEGIN_BYTES: Final = 64 * 1024


class ClientFailed(Exception):
    """The client did not send the body that it announced. Its text is a sentence for people."""


class Upload:
    """Of one body, to one upstream at most."""

    def __init__(self, client: Client, body: BodyReader, *, is_chunked: bool, stalled_seconds: float) -> None:
        self._client = client
        self._body = body
        self._is_chunked = is_chunked
        self._stalled_seconds = stalled_seconds
        self._is_wanted = True

    @property
    def is_over(self) -> bool:
        """Whether the client has sent it to its end."""
        return self._body.is_over

    @property
    def is_whole(self) -> bool:
        """Whether the origin has taken all that came."""
        return self._body.is_over and self._is_wanted

    def begin(self) -> bytes:
        """What of the body came with the head, as it goes on, unless it is much. Raises ClientFailed."""
        if self._body.is_over or self._client.held_bytes > _MAX_BEGIN_BYTES:
            return b""
        return self._next(self._client.held())

    async def run(self, upstream: Upstream) -> ClientFailed | None:
        """Send the rest. An origin that takes no more is spared what is left, not the client."""
        try:
            while not self._body.is_over:
                data = await self._client.more()
                if not data:
                    return ClientFailed("The request's body ended before its time.")
                await self._send(upstream, self._next(data))
        except TimeoutError:
            return ClientFailed("Nothing more came of the request's body.")
        except ClientFailed as failed:
            return failed
        return None

    async def _send(self, upstream: Upstream, data: bytes) -> None:
        if not (data and self._is_wanted):
            return
        try:
            async with asyncio.timeout(self._stalled_seconds):
                await upstream.write(data)
        except (SpuntoError, TimeoutError):
            # Whatever it has to say about that it may have said before.
            self._is_wanted = False

    def _next(self, data: bytes) -> bytes:
        try:
            content, rest = self._body.take(data)
        except MalformedMessage as error:
            raise ClientFailed(str(error)) from error
        if rest:
            self._client.give_back(rest)
        return b"".join(self._written(content))

    def _written(self, content: Sequence[bytes]) -> Sequence[bytes]:
        if not self._is_chunked:
            return content
        written = [chunk(piece) for piece in content]
        if self._body.is_over:
            written.append(last_chunk(passing_trailers(self._body.trailers)))
        return written
