"""The WebSockets that are open now, so that a stopping server can close them before it waits for them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from quart import Websocket


class Sockets:
    def __init__(self) -> None:
        self._open: set[Websocket] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    @contextmanager
    def registered(self, socket: Websocket) -> Iterator[None]:
        self._open.add(socket)
        self._empty.clear()
        try:
            yield
        finally:
            self._open.discard(socket)
            if not self._open:
                self._empty.set()

    async def close_all(self, code: int) -> None:
        """Close every socket and wait until their handlers have ended; bound the wait yourself."""
        for socket in list(self._open):
            await close_quietly(socket, code, "server_restarting")
        await self._empty.wait()


async def close_quietly(socket: Websocket, code: int, reason: str) -> None:
    """Close; a socket that was closed already is as good."""
    # Quart's own word for a second close.
    with suppress(RuntimeError):
        await socket.close(code, reason)
