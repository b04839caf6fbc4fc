"""The WebSockets that are open now, so that a stopping server can close them before it waits for them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from spunto.core.kernel.errors import Unavailable

CLOSE_SECONDS = 1.0


class Socket(Protocol):
    async def close(self, code: int, reason: str) -> None:
        """May raise RuntimeError for a socket that was closed already."""


class Sockets:
    def __init__(self) -> None:
        self._open: dict[Socket, asyncio.Task[None]] = {}
        self._stopping = False

    def __len__(self) -> int:
        return len(self._open)

    def require_open(self) -> None:
        """Raises Unavailable once the server is stopping."""
        if self._stopping:
            raise Unavailable("server_stopping", "The server is restarting; dial again.", retry_after_seconds=1)

    @contextmanager
    def registered(self, socket: Socket) -> Iterator[None]:
        """Enter before accepting, in the socket's handler. Raises Unavailable once the server is stopping."""
        self.require_open()
        handler = asyncio.current_task()
        assert handler is not None  # noqa: S101 - a handler runs in a task
        self._open[socket] = handler
        try:
            yield
        finally:
            del self._open[socket]

    async def close_all(self, code: int) -> None:
        """Close every socket, end its handler, and let no new one in. It waits for nobody's answer to the close."""
        self._stopping = True
        handlers = list(self._open.values())
        async with asyncio.TaskGroup() as group:
            for socket in self._open:
                group.create_task(close_quietly(socket, code, "server_restarting"))
        for handler in handlers:
            handler.cancel()
        if handlers:
            await asyncio.wait(handlers)


async def close_quietly(socket: Socket, code: int, reason: str) -> None:
    """Close. A socket that was closed already is as good, and one that takes nothing any more is let go."""
    # RuntimeError is Quart's word for a second close.
    with suppress(RuntimeError, TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await socket.close(code, reason)
