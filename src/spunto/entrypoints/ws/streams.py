"""Hypercorn's WebSocket, but for its end: nothing of a closed one stays behind."""

import asyncio
from typing import Any, Final

from hypercorn.protocol import h2, h11
from hypercorn.protocol.events import Event, StreamClosed
from hypercorn.protocol.ws_stream import WSStream

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
        await super().handle(event)
        if isinstance(event, StreamClosed):
            if self._pinging is not None:
                self._pinging.cancel()
        elif not self.closed and self.buffer.length > self.buffer.max_length:
            # It was closed with 1009, but would go on reading, and fail over the next message of another type.
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
    for protocol in (h11, h2):
        # There is no setting for it.
        vars(protocol)["WSStream"] = EndingStream
