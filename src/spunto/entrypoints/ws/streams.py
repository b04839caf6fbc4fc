"""Hypercorn's WebSocket, but for its end: nothing of a closed one stays behind."""

import asyncio
import secrets
from typing import Any, Final

import orjson
from hypercorn.protocol import h11
from hypercorn.protocol.events import Body, Data, EndBody, Event, Response, StreamClosed
from hypercorn.protocol.ws_stream import WSStream

from spunto.entrypoints.serving.problems import problem_body

OWN_HEARTBEAT: Final = "own_heartbeat"
"""Set in the scope's state before accepting, it spares a socket the pings that its own protocol has no need of."""


class EndingStream(WSStream):
    """Ends when its handler does, also under a flood.

    Hypercorn 0.18 puts what still comes in into the queue of a handler that has ended, until it is full and the
    connection waits for ever; and its pings keep a closed connection, with all its buffers, until the next one is due.
    A peer that floods and dials again would take a gigabyte in seconds.
    """

    _pinging: asyncio.Task[Any] | None = None

    async def handle(self, event: Event) -> None:
        if isinstance(event, Body | Data) and not self.closed and not self.handshake.accepted:
            # Hypercorn would refuse it too, but never tell the handler, which then waits for ever.
            await self._refuse_haste()
            return
        await super().handle(event)
        if isinstance(event, StreamClosed):
            if self._pinging is not None:
                self._pinging.cancel()
        elif not self.closed and self.buffer.length > self.buffer.max_length:
            # It was closed with 1009, but would go on reading, and fail over the next message of another type.
            await self.send(StreamClosed(stream_id=self.stream_id))

    async def _refuse_haste(self) -> None:
        detail = "Nothing may be sent on a WebSocket before it was accepted."
        body = orjson.dumps(problem_body(400, "bad_request", detail, request_id=secrets.token_hex(16)))
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        await self.send(Response(stream_id=self.stream_id, status_code=400, headers=headers))
        await self.send(Body(stream_id=self.stream_id, data=body))
        await self.send(EndBody(stream_id=self.stream_id))
        await self.send(StreamClosed(stream_id=self.stream_id))

    async def app_send(self, message: Any) -> None:
        if message is None:
            self._stop_listening()
        await super().app_send(message)

    def _stop_listening(self) -> None:
        """Let go of what waits to be read, and of who waits for room."""
        if self.app_put is None:
            return
        queue: asyncio.Queue[Any] = self.app_put.__self__  # type: ignore[attr-defined]  # a bound method of the queue
        self.app_put = _discard
        while not queue.empty():
            queue.get_nowait()

    async def _accept(self, message: Any) -> None:
        # Hypercorn takes any offer to compress, and its windows cost more than all the rest of a socket.
        self.handshake.extensions = None
        await super()._accept(message)

    async def _send_pings(self) -> None:
        if OWN_HEARTBEAT in self.scope["state"]:
            return
        self._pinging = asyncio.current_task()
        await super()._send_pings()


async def _discard(event: Any) -> None:
    pass


def install() -> None:
    """Have Hypercorn make these. Repeating is harmless."""
    # There is no setting for it.
    vars(h11)["WSStream"] = EndingStream
