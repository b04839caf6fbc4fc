"""An ASGI WebSocket as the protocol's transport, under any ASGI server."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from spunto.core.protocol.closing import UNAUTHENTICATED
from spunto.core.protocol.transport import TransportClosed
from spunto.entrypoints.ws.sockets import CLOSE_SECONDS

ABNORMAL = 1006
"""What a WebSocket's end is called when nobody said a code."""

# Hypercorn, Starlette and asgiref each have types of their own for the same messages.
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class AsgiSocket:
    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._closed: TransportClosed | None = None

    @property
    def was_refused(self) -> bool:
        """Whether it was closed because its token is not good."""
        return self._closed is not None and self._closed.code == UNAUTHENTICATED

    async def accept(self) -> None:
        await self._send({"type": "websocket.accept", "subprotocol": None, "headers": []})

    async def send(self, frame: str | bytes) -> None:
        if self._closed is not None:
            raise self._closed
        if isinstance(frame, str):
            await self._send({"type": "websocket.send", "bytes": None, "text": frame})
        else:
            await self._send({"type": "websocket.send", "bytes": frame, "text": None})

    async def receive(self) -> str | bytes:
        event = await self._receive()
        if event["type"] != "websocket.receive":
            self._closed = self._closed or TransportClosed(ABNORMAL)
            raise self._closed
        text: str | None = event.get("text")
        return event.get("bytes") or b"" if text is None else text

    async def close(self, code: int, reason: str) -> None:
        if self._closed is not None:
            return
        self._closed = TransportClosed(code, reason)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
