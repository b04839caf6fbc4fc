"""Quart's ASGI connections, bounded: what a client sends faster than its handler reads stays in the network."""

import asyncio
from functools import partial
from typing import Any, Final, cast

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, WebsocketScope
from quart import Quart, Websocket
from quart.asgi import ASGIHTTPConnection, ASGIWebsocketConnection

from spunto.entrypoints.serving.targets import path_of

# Messages are as big as Hypercorn lets them be (1 MiB), so their number decides how much a socket can hold.
MAX_WAITING_MESSAGES: Final = 2


CUT: Final = "spunto.cut"
"""In a request's scope: call it to break the connection of a client that takes nothing any more."""


class HttpConnection(ASGIHTTPConnection):
    def __init__(self, app: Quart, scope: HTTPScope) -> None:
        super().__init__(app, {**scope, "path": path_of(scope["path"])})

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        cast("dict[str, Any]", self.scope)[CUT] = partial(_cut, send)
        await super().__call__(receive, send)


def _cut(send: Any) -> None:
    """Hypercorn has no word for it: closing waits until the client has taken everything, which it never does.

    Its `send` is bound to the stream, the stream's to the protocol, the protocol's to the connection.
    """
    place = send
    for name in ("send", "send"):
        place = getattr(getattr(place, "__self__", None), name, None)
    writer = getattr(getattr(place, "__self__", None), "writer", None)
    if writer is not None:
        writer.transport.abort()


class WebsocketConnection(ASGIWebsocketConnection):
    """Its reader waits while the queue is full; then Hypercorn's own bounded queue fills, and TCP pushes back."""

    def __init__(self, app: Quart, scope: WebsocketScope) -> None:
        super().__init__(app, {**scope, "path": path_of(scope["path"])})
        self.queue: asyncio.Queue[str | bytes] = asyncio.Queue(MAX_WAITING_MESSAGES)

    async def handle_messages(self, receive: ASGIReceiveCallable) -> None:
        while True:
            event = await receive()
            if event["type"] == "websocket.receive":
                text = event.get("text")
                # Quart would make None of an empty binary message.
                await self.queue.put(event.get("bytes") or b"" if text is None else text)
            elif event["type"] == "websocket.disconnect":
                return

    async def send_data(self, send: ASGISendCallable, data: str | bytes) -> None:
        if isinstance(data, str):
            await send({"type": "websocket.send", "bytes": None, "text": data})
        else:
            await send({"type": "websocket.send", "bytes": data, "text": None})

    async def close_connection(self, send: ASGISendCallable, code: int, reason: str) -> None:
        """Closed once, also where the other end takes nothing any more and the closer has given up."""
        if self._closed:
            raise RuntimeError("closed already")
        self._closed = True
        await send({"type": "websocket.close", "code": code, "reason": reason})


class DirectWebsocket(Websocket):
    """Sends without the extra turn of the event loop that Quart takes before each message."""

    async def send(self, data: str | bytes) -> None:
        await self._send(data)
