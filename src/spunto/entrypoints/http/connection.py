"""Quart's ASGI connections, bounded: what a client sends faster than its handler reads stays in the network."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Final, cast

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, WebsocketScope
from quart import Quart, Request, Response, Websocket
from quart.asgi import ASGIHTTPConnection, ASGIWebsocketConnection
from quart.typing import ResponseTypes
from quart.utils import encode_headers
from quart.wrappers.response import DataBody
from werkzeug.datastructures import Headers

from spunto.entrypoints.http.bodies import PacedBody
from spunto.entrypoints.serving.answers import WHOLE
from spunto.entrypoints.serving.targets import path_of

# Messages are as big as Hypercorn lets them be (1 MiB), so their number decides how much a socket can hold.
MAX_WAITING_MESSAGES: Final = 2
# Who sends no body can only leave, and loses nothing where that is noticed so much later.
LOOK_AFTER_SECONDS: Final = 0.05
_OF_A_BODY: Final = frozenset({b"content-length", b"transfer-encoding"})


CUT: Final = "spunto.cut"
"""In a request's scope: call it to break the connection of a client that takes nothing any more."""


class SparingHeaders(Headers):
    """Werkzeug's, which make an error page of each header that is asked for and not there; here half a dozen are at
    every request."""

    def __contains__(self, key: str) -> bool:
        wanted = key.lower()
        return any(name.lower() == wanted for name, _ in self)

    def get(self, key: str, default: Any = None, type: Any = None) -> Any:  # type: ignore[override]  # noqa: A002 - as it has it
        return super().get(key, default, type) if key in self else default


class HttpConnection(ASGIHTTPConnection):
    """Quart's, but in the one task in which it is called; Quart makes three more for every request."""

    def __init__(self, app: Quart, scope: HTTPScope) -> None:
        super().__init__(app, {**scope, "path": path_of(scope["path"])})

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        cast("dict[str, Any]", self.scope)[CUT] = partial(_cut, send)
        request = self._create_request_from_scope(send)
        client = _Client(partial(self.handle_messages, request, receive))
        if self._has_body():
            client.listen()
        else:
            request.body.set_complete()
            client.listen_later()
        try:
            await self.handle_request(request, send)
        except asyncio.CancelledError:
            if not client.has_just_left():
                raise
        finally:
            await client.listen_no_more()

    def _create_request_from_scope(self, send: ASGISendCallable) -> Request:
        scope, config = self.scope, self.app.config
        if scope.get("root_path") or not scope["path"].startswith("/") or scope["http_version"] < "1.1":
            return super()._create_request_from_scope(send)
        said = [(name.decode("latin1").title(), value.decode("latin1")) for name, value in scope["headers"]]
        client = (scope.get("client") or ["<local>"])[0]
        return self.app.request_class(
            scope["method"],
            scope["scheme"],
            scope["path"],
            scope["query_string"],
            SparingHeaders([("Remote-Addr", client), *said]),
            "",
            scope["http_version"],
            max_content_length=config["MAX_CONTENT_LENGTH"],
            body_timeout=config["BODY_TIMEOUT"],
            send_push_promise=partial(self._send_push_promise, send),
            scope=scope,
        )

    async def handle_request(self, request: Request, send: ASGISendCallable) -> None:
        response = await self.app.handle_request(request)
        seconds = self.app.config["RESPONSE_TIMEOUT"]
        if isinstance(response, Response) and response.timeout is not Ellipsis:
            seconds = response.timeout
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._send_response(send, response)

    async def _send_response(self, send: ASGISendCallable, response: ResponseTypes) -> None:
        body = response.response
        if not isinstance(body, DataBody):
            await super()._send_response(send, response)
            return
        data = body.data[body.begin : body.end]
        headers = encode_headers(response.headers)
        start: Any = {"type": "http.response.start", "status": response.status_code, "headers": headers}
        if WHOLE in (self.scope.get("extensions") or {}):
            start[WHOLE] = data
            await send(start)
            return
        await send(start)
        await send({"type": "http.response.body", "body": data, "more_body": False})

    async def handle_messages(self, request: Request, receive: ASGIReceiveCallable) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.request":
                request.body.append(message.get("body", b""))
                if not message.get("more_body", False):
                    request.body.set_complete()
                await cast("PacedBody", request.body).room()
            elif message["type"] == "http.disconnect":
                return

    def _has_body(self) -> bool:
        named = any(name in _OF_A_BODY for name, _ in self.scope["headers"])
        return named or self.scope["method"] not in ("GET", "HEAD")


class _Client:
    """Takes in what the client sends. When it leaves, the task that handles its request is cancelled."""

    def __init__(self, messages: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._messages = messages
        self._handling = cast("asyncio.Task[Any]", asyncio.current_task())
        self._listening: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None

    def listen(self) -> None:
        self._listening = asyncio.create_task(self._messages(), name="what a client sends")
        self._listening.add_done_callback(self._leave)

    def listen_later(self) -> None:
        self._later = asyncio.get_running_loop().call_later(LOOK_AFTER_SECONDS, self.listen)

    def has_just_left(self) -> bool:
        """Whether that is the only reason why the task was cancelled."""
        return self._listening is not None and self._listening.done() and self._handling.uncancel() == 0

    async def listen_no_more(self) -> None:
        if self._later is not None:
            self._later.cancel()
        if self._listening is not None:
            self._listening.remove_done_callback(self._leave)
            self._listening.cancel()
            await asyncio.wait([self._listening])

    def _leave(self, _: asyncio.Task[None]) -> None:
        self._handling.cancel()


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
