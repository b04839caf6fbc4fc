"""HTTP at a port of a simulated worker: an ASGI application is served as a program in the worker would serve it."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote, urlsplit

import h11

from spunto.adapters.memory.runtime_ports import PortHandler
from spunto.core.executor.port_connection import PortConnection

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]
"""As ASGI 3 has it; asked for `http` alone."""


def serving(application: Application) -> PortHandler:
    """Serves each connection to a port, request after request, over HTTP/1.1."""

    async def handle(connection: PortConnection) -> None:
        await _Conversation(application, connection).run()

    return handle


class _Conversation:
    def __init__(self, application: Application, connection: PortConnection) -> None:
        self._application = application
        self._connection = connection
        self._parser = h11.Connection(h11.SERVER)

    async def run(self) -> None:
        while isinstance(request := await self._next(), h11.Request):
            await self._application(_scope(request), self._receive, self._send)
            if h11.MUST_CLOSE in (self._parser.our_state, self._parser.their_state):
                return
            # What the application did not read of the body.
            while self._parser.their_state is h11.SEND_BODY:
                await self._next()
            self._parser.start_next_cycle()

    async def _next(self) -> Any:
        while (event := self._parser.next_event()) is h11.NEED_DATA:
            if self._parser.they_are_waiting_for_100_continue:
                await self._write(h11.InformationalResponse(status_code=100, headers=[]))
            self._parser.receive_data(await self._connection.read() or b"")
        return event

    async def _receive(self) -> Message:
        if self._parser.their_state is not h11.SEND_BODY:
            return {"type": "http.disconnect"}
        event = await self._next()
        if isinstance(event, h11.Data):
            return {"type": "http.request", "body": bytes(event.data), "more_body": True}
        if isinstance(event, h11.EndOfMessage):
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._write(h11.Response(status_code=message["status"], headers=list(message.get("headers", ()))))
        elif message["type"] == "http.response.body":
            await self._write(h11.Data(data=message.get("body", b"")))
            if not message.get("more_body", False):
                await self._write(h11.EndOfMessage())

    async def _write(self, event: Any) -> None:
        await self._connection.write(self._parser.send(event) or b"")


def _scope(request: h11.Request) -> Message:
    target = urlsplit(request.target.decode("ascii"))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": request.http_version.decode("ascii"),
        "method": request.method.decode("ascii"),
        "scheme": "http",
        "path": unquote(target.path),
        "raw_path": target.path.encode("ascii"),
        "query_string": target.query.encode("ascii"),
        "root_path": "",
        "headers": [(name, value) for name, value in request.headers],
        "client": None,
        "server": None,
    }
