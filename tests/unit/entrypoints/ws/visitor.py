"""One WebSocket as the server brings it to the application, message by message, with a reader that can be held."""

import asyncio
import base64
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, cast

import orjson
from hypercorn.typing import ASGIReceiveEvent, ASGISendCallable, ASGISendEvent, WebsocketScope
from quart import Quart
from tests.unit.entrypoints.http.site import Site, id_of

PATIENCE_SECONDS = 10.0


class Visitor:
    """Use as `async with`; leaving is what happens when a browser's tab is closed."""

    def __init__(self, app: Quart, target: str, headers: Mapping[str, str], *, peer: str | None = None) -> None:
        path, _, query = target.partition("?")
        self._app = app
        self._scope: WebsocketScope = {
            "type": "websocket",
            "asgi": {"spec_version": "2.3", "version": "3.0"},
            "scheme": "ws",
            "http_version": "1.1",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": None if peer is None else (peer, 40_000),
            "server": None,
            "state": {},  # type: ignore[typeddict-item]  # Hypercorn's name for a plain dict
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }
        self._inbound: asyncio.Queue[ASGIReceiveEvent] = asyncio.Queue()
        self._outbound: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._reading = asyncio.Event()
        self._reading.set()
        self._task: asyncio.Task[None] | None = None
        self.taken = 0
        self.refusal_headers: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        await self._inbound.put({"type": "websocket.connect"})
        self._task = asyncio.ensure_future(
            self._app.asgi_app(self._scope, self._receive, cast("ASGISendCallable", self._send))
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    async def leave(self) -> None:
        """The connection ends. Repeating is harmless."""
        assert self._task is not None
        self._reading.set()
        await self._inbound.put({"type": "websocket.disconnect", "code": 1006})
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.wait({self._task})
        # A stopping server cancels whoever is still served.
        if not self._task.cancelled():
            self._task.result()

    def hold(self) -> None:
        """Read nothing any more: what is sent waits at the sender."""
        self._reading.clear()

    def release(self) -> None:
        self._reading.set()

    async def say(self, frame: dict[str, Any] | str | bytes) -> None:
        message = orjson.dumps(frame).decode() if isinstance(frame, dict) else frame
        event = {"type": "websocket.receive", "bytes": None, "text": None}
        event["bytes" if isinstance(message, bytes) else "text"] = message  # type: ignore[assignment]
        await self._inbound.put(cast("ASGIReceiveEvent", event))

    async def type(self, text: str) -> None:
        await self.say({"type": "input", "data": base64.b64encode(text.encode()).decode()})

    async def accepted(self) -> Self:
        event = await self._next()
        assert event["type"] == "websocket.accept", event
        return self

    async def hear(self) -> dict[str, Any]:
        """The next frame."""
        event = await self._next()
        assert event["type"] == "websocket.send", event
        frame: dict[str, Any] = orjson.loads(event["text"])
        return frame

    async def hear_raw(self) -> str | bytes:
        """The next message, as it came."""
        event = await self._next()
        assert event["type"] == "websocket.send", event
        message: str | bytes = event["text"] if event.get("bytes") is None else event["bytes"]
        return message

    async def ready(self) -> dict[str, Any]:
        await self.accepted()
        frame = await self.hear()
        assert frame["type"] == "ready", frame
        return frame

    async def hear_until(self, text: str) -> bytes:
        """Output up to the text, gathered."""
        gathered = b""
        while text.encode() not in gathered:
            frame = await self.hear()
            assert frame["type"] == "output", frame
            gathered += base64.b64decode(frame["data"])
        return gathered

    async def close_code(self) -> int:
        """Skip what is still said, up to the close."""
        while (event := await self._next())["type"] != "websocket.close":
            pass
        code: int = event["code"]
        return code

    async def refusal(self) -> tuple[int, dict[str, Any]]:
        """Status and problem of an upgrade that is refused."""
        start = await self._next()
        assert start["type"] == "websocket.http.response.start", start
        headers = dict(start["headers"])
        self.refusal_headers = {name.decode(): value.decode() for name, value in headers.items()}
        assert headers[b"content-type"] == b"application/problem+json"
        body = b""
        while (event := await self._next())["more_body"]:
            body += event["body"]
        problem: dict[str, Any] = orjson.loads(body)
        assert problem["requestId"] == headers[b"x-request-id"].decode()
        return start["status"], problem

    async def _next(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._outbound.get()

    async def _receive(self) -> ASGIReceiveEvent:
        event = await self._inbound.get()
        self.taken += 1
        return event

    async def _send(self, event: ASGISendEvent | None) -> None:
        if event is None:
            await self._inbound.put({"type": "websocket.disconnect", "code": 1000})
            return
        await self._reading.wait()
        await self._outbound.put(cast("dict[str, Any]", event))


def visit(site: Site, worker: str, query: str = "", headers: dict[str, str] | None = None) -> Visitor:
    """Go to the worker's terminal, as the owner where no headers are given."""
    target = f"/api/workers/{id_of(worker)}/terminal{query}"
    return Visitor(site.house.app, target, site.owner.bearer if headers is None else headers)
