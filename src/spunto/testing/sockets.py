"""WebSockets of the client without a network: each goes straight into the application."""

import asyncio
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus
from websockets.frames import Close
from websockets.http11 import Response

_NORMAL = 1000


class InProcessSocket:
    """The part of `websockets.ClientConnection` that the client uses, over ASGI. Made by `dial`."""

    def __init__(self, app: Any, url: str, headers: dict[str, str]) -> None:
        target = urlsplit(url)
        scope: dict[str, Any] = {
            "type": "websocket",
            "asgi": {"spec_version": "2.3", "version": "3.0"},
            "scheme": "ws",
            "http_version": "1.1",
            "path": target.path,
            "raw_path": target.path.encode(),
            "query_string": target.query.encode(),
            "root_path": "",
            "headers": [(b"host", target.netloc.encode())]
            + [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 0),
            "server": None,
            "state": {},
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._to_app.put_nowait({"type": "websocket.connect"})
        self._closed: Close | None = None
        self._serving = asyncio.ensure_future(app(scope, self._to_app.get, self._hear))

    @classmethod
    async def dial(cls, app: Any, url: str, headers: dict[str, str]) -> Self:
        """An accepted socket. Raises InvalidStatus where the application refuses."""
        socket = cls(app, url, headers)
        first = await socket._from_app.get()
        if first["type"] == "websocket.http.response.start":
            body = await socket._rest_of_body()
            given = Headers([(name.decode(), value.decode()) for name, value in first["headers"]])
            raise InvalidStatus(Response(first["status"], "", given, body))
        return socket

    @property
    def close_code(self) -> int | None:
        return None if self._closed is None else self._closed.code

    async def send(self, frame: str | bytes) -> None:
        self._raise_if_closed()
        is_text = isinstance(frame, str)
        event = {"type": "websocket.receive", "text": frame if is_text else None, "bytes": None if is_text else frame}
        await self._to_app.put(event)

    async def recv(self) -> str | bytes:
        self._raise_if_closed()
        event = await self._from_app.get()
        if event["type"] == "websocket.close":
            self._closed = Close(event.get("code") or _NORMAL, event.get("reason") or "")
            self._raise_if_closed()
        text: str | None = event.get("text")
        frame: bytes = event.get("bytes") or b""
        return frame if text is None else text

    async def wait_closed(self) -> None:
        while self._closed is None:
            event = await self._from_app.get()
            if event["type"] == "websocket.close":
                self._closed = Close(event.get("code") or _NORMAL, event.get("reason") or "")

    async def close(self) -> None:
        """Hang up, and wait until the application is done with it. Repeating is harmless."""
        self._closed = self._closed or Close(_NORMAL, "")
        await self._to_app.put({"type": "websocket.disconnect", "code": _NORMAL})
        await asyncio.wait({self._serving})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _hear(self, event: dict[str, Any]) -> None:
        await self._from_app.put(event)

    async def _rest_of_body(self) -> bytes:
        parts: list[bytes] = []
        is_whole = False
        while not is_whole:
            event = await self._from_app.get()
            parts.append(event["body"])
            is_whole = not event.get("more_body")
        return b"".join(parts)

    def _raise_if_closed(self) -> None:
        if self._closed is None:
            return
        kind = ConnectionClosedOK if self._closed.code == _NORMAL else ConnectionClosedError
        raise kind(self._closed, self._closed, rcvd_then_sent=True)
