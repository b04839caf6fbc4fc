"""Requests and upgrades straight to the application, as the server would bring them, and what came back."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson
from quart import Quart

PATIENCE_SECONDS = 20.0
TURNS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`status` is 101 for an upgrade that was accepted. A stream of events is left when it has told what there was."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(orjson.loads(self.body).get("code", "")) if self.status >= 400 and self.body else ""


async def ask(app: Quart, method: str, target: str, headers: Mapping[str, str], body: Any = None) -> Answer:
    sent = dict(headers) if body is None else {"Content-Type": "application/json", **headers}
    scope = {**_scope("http", target, sent), "method": method}
    raw = b"" if body is None else orjson.dumps(body)
    return await _Visit(scope, {"type": "http.request", "body": raw, "more_body": False}).run(app)


async def upgrade(app: Quart, target: str, headers: Mapping[str, str]) -> Answer:
    scope = {**_scope("websocket", target, headers), "subprotocols": []}
    scope["extensions"] = {"websocket.http.response": {}}
    return await _Visit(scope, {"type": "websocket.connect"}).run(app)


class _Visit:
    def __init__(self, scope: dict[str, Any], first: dict[str, Any]) -> None:
        self._scope = scope
        self._inbound: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._inbound.put_nowait(first)
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body = b""
        self._leaving: asyncio.Task[None] | None = None

    async def run(self, app: Quart) -> Answer:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await app.asgi_app(cast("Any", self._scope), cast("Any", self._inbound.get), cast("Any", self._send))
        return Answer(status=self._status, headers=self._headers, body=self._body)

    async def _leave(self) -> None:
        """When what is there has been told; a store in memory tells it in these turns."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
        self._inbound.put_nowait({"type": "http.disconnect"})

    async def _send(self, event: dict[str, Any] | None) -> None:
        if event is None:
            return
        kind = event["type"]
        if kind.endswith("response.start"):
            self._status = event["status"]
            self._headers = {name.decode().lower(): value.decode() for name, value in event["headers"]}
            if self._headers.get("content-type", "").startswith("text/event-stream"):
                self._leaving = asyncio.create_task(self._leave())
        elif kind.endswith("response.body"):
            self._body += event.get("body", b"")
        elif kind == "websocket.accept":
            self._status = 101
            self._inbound.put_nowait({"type": "websocket.disconnect", "code": 1000})
        elif kind == "websocket.send":
            self._body += (event.get("text") or "").encode()


def _scope(kind: str, target: str, headers: Mapping[str, str]) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": kind,
        "asgi": {"spec_version": "2.3", "version": "3.0"},
        "scheme": "ws" if kind == "websocket" else "http",
        "http_version": "1.1",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.1", 40_000),
        "server": None,
        "state": {},
        "extensions": {},
    }
