"""Answers that are whole when they begin: they take one step to the wire, where Hypercorn takes six."""

from dataclasses import dataclass
from typing import Any, Final

from hypercorn.protocol.events import Event, Request, Response
from hypercorn.protocol.http_stream import ASGIHTTPState, HTTPStream
from hypercorn.utils import UnexpectedMessageError, build_and_validate_headers, suppress_body

WHOLE: Final = "spunto.whole"
"""An ASGI extension: where a scope has it, `http.response.start` may bring the whole body by this name, and is then the
only message of the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole(Response):
    """With its body, and without anything after it."""

    body: bytes


class WholeStream(HTTPStream):
    """One request and its answer."""

    async def handle(self, event: Event) -> None:
        await super().handle(event)
        if isinstance(event, Request):
            # The application has its task by now, but not its first turn.
            self.scope["extensions"][WHOLE] = {}

    async def app_send(self, message: Any) -> None:
        if message is None or WHOLE not in message:
            await super().app_send(message)
            return
        if self.state != ASGIHTTPState.REQUEST:
            raise UnexpectedMessageError(self.state, message["type"])
        self.response = message
        self.state = ASGIHTTPState.CLOSED
        status = int(message["status"])
        await self.send(
            Whole(
                stream_id=self.stream_id,
                status_code=status,
                headers=build_and_validate_headers(message["headers"]),
                body=b"" if suppress_body(self.scope["method"], status) else message[WHOLE],
            )
        )
