"""A stream of a connection as an awaitable object."""

import asyncio
from types import TracebackType
from typing import Protocol, Self

from spunto.core.kernel.errors import Unavailable
from spunto.core.protocol.events import StreamEnd
from spunto.core.protocol.messages import JsonObject
from spunto.core.protocol.multiplexer import Multiplexer, StreamReset


class ConnectionLost(Unavailable):
    """The session is over; what was under way on it has an unknown outcome."""

    def __init__(self) -> None:
        super().__init__("connection_lost", "The connection to the node was lost; try again when it is back.")


class StreamOwner(Protocol):
    """The connection as its streams need it."""

    @property
    def streams(self) -> Multiplexer: ...

    def require_open(self) -> None:
        """Raises ConnectionLost when the session is over."""

    def flush(self) -> None:
        """Have queued frames sent."""

    def forget(self, stream_id: int) -> None:
        """The stream has no user any more."""


class Stream:
    """Bytes with controls in between. One task reads, one writes; whoever opened or got the stream closes it."""

    def __init__(self, owner: StreamOwner, stream_id: int, kind: str, params: JsonObject) -> None:
        self.id = stream_id
        self.kind = kind
        self.params = params
        self._owner = owner
        self._streams = owner.streams
        self._changed = asyncio.Event()
        self._leaving: asyncio.Event | None = None

    async def next(self) -> bytes | JsonObject | None:
        """What comes next, bytes or a control; None at the end. Raises StreamReset, ConnectionLost, after what came."""
        while (piece := self._streams.take(self.id)) is None:
            await self._change()
        self._owner.flush()
        if not isinstance(piece, StreamEnd):
            return piece
        if piece.reset is not None:
            raise StreamReset(piece.reset.code, piece.reset.message)
        return None

    async def read(self) -> bytes | None:
        """The next bytes, passing over controls; None at the end."""
        while isinstance(piece := await self.next(), dict):
            pass
        return piece

    def is_quiet(self) -> bool:
        """Whether nothing waits to be read, neither a piece nor the end."""
        return self._streams.is_quiet(self.id)

    async def write(self, data: bytes) -> None:
        """Queue the data, waiting for credit. Raises StreamReset, ConnectionLost, and Conflict after our own end."""
        begin = 0
        while begin < len(data):
            self._owner.require_open()
            room = self._streams.room(self.id)
            if room == 0:
                await self._change()
                continue
            self._streams.write(self.id, data[begin : begin + room])
            begin += room
            self._owner.flush()

    async def send_control(self, body: JsonObject) -> None:
        """Queue a control of at most 16 KiB behind the data, waiting for credit. Raises as `write` does."""
        self._owner.require_open()
        while not self._streams.write_control(self.id, body):
            await self._change()
        self._owner.flush()

    async def write_eof(self) -> None:
        """End our direction; the other goes on. Repeating, or after a reset, is harmless."""
        self._streams.write_eof(self.id)
        self._owner.flush()

    async def given_up(self) -> None:
        """Wait until the other side takes nothing any more. Raises ConnectionLost."""
        # An event of its own: who waits here sleeps on while bytes come and go.
        leaving = self._leaving = self._leaving or asyncio.Event()
        while not self._streams.is_given_up(self.id):
            self._owner.require_open()
            await leaving.wait()

    def reset(self, code: str, message: str = "") -> None:
        """Give it up at once, unsent data included. Repeating is harmless."""
        self._streams.reset(self.id, code, message[:4096])
        self._let_go()

    def break_off(self, code: str, message: str = "") -> None:
        """Give it up behind what was written: the other side takes it for no end. Repeating is harmless."""
        self._streams.break_off(self.id, code, message[:4096])
        self._let_go()

    async def aclose(self) -> None:
        """Give it up: what was written still goes out, what comes in is dropped. Repeating is harmless."""
        self._streams.close(self.id)
        self._let_go()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.reset("aborted")
        await self.aclose()

    def wake(self) -> None:
        """Whoever waits on the stream looks again."""
        self._changed.set()
        if self._leaving is not None and self._streams.is_given_up(self.id):
            self._leaving.set()

    def lose(self) -> None:
        """The session is over."""
        self._changed.set()
        if self._leaving is not None:
            self._leaving.set()

    def _let_go(self) -> None:
        self._owner.forget(self.id)
        self._owner.flush()
        self.wake()

    async def _change(self) -> None:
        self._owner.require_open()
        self._changed.clear()
        await self._changed.wait()
