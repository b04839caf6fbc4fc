"""One shell in a pseudo-terminal, which outlives the connections that look at it."""

import asyncio
from contextlib import suppress

from spunto.core.executor.runtime import Exec
from spunto.core.executor.streams.ring import Ring
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict, SpuntoError
from spunto.core.protocol.stream import Stream

RING_BYTES = 1024 * 1024
# What a reader has not got yet may take a quarter of the ring; the rest stays for what is lost with a dying link.
UNREAD_BYTES = RING_BYTES // 4
_PIECE_BYTES = 32 * 1024
_LARGEST_SIDE = 4096


class Terminal:
    """`pump` reads the shell into the ring. At most one stream is attached; a newer one takes its place."""

    def __init__(self, session: str, name: str, shell: Exec, clock: Clock) -> None:
        self.session = session
        self.name = name
        self._shell = shell
        self._clock = clock
        self._ring = Ring(RING_BYTES)
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()
        self._attached: Stream | None = None
        self._offset = 0
        self._exit_code: int | None = None
        self._end_was_sent = False
        self.detached_since: float | None = clock.monotonic()

    @property
    def is_done(self) -> bool:
        """Whether the shell has ended and its end was told: nobody needs to come back for it."""
        return self._end_was_sent

    async def pump(self) -> None:
        """Read until the shell ends, no faster than an attached reader takes it."""
        try:
            while (output := await self._shell.read()) is not None:
                self._ring.append(output[1])
                self._changed.set()
                while self._attached is not None and self._ring.end - self._offset > UNREAD_BYTES:
                    self._taken.clear()
                    await self._taken.wait()
            self._exit_code = await self._shell.exit_code()
        except SpuntoError:
            self._exit_code = -1  # The engine or the container has gone; what became of the shell is not known.
        finally:
            self._changed.set()
            await self._shell.aclose()

    async def attach(self, stream: Stream, *, offset: int | None, cols: int, rows: int) -> None:
        """Show the stream everything from the offset on, and type what it says, until either side ends."""
        if self._attached is not None:
            self._attached.reset("terminal_taken", "The terminal was attached to from elsewhere.")
        wanted = self._ring.start if offset is None else min(max(offset, 0), self._ring.end)
        self._offset = max(wanted, self._ring.start)
        self._attached, self.detached_since = stream, None
        self._changed.set()
        self._taken.set()
        try:
            await stream.send_control({"session": self.session, "offset": self._offset})
            if self._offset > wanted:
                await stream.send_control({"lost": self._offset - wanted})
            await self._shell.resize(cols=cols, rows=rows)
            await self._converse(stream)
        finally:
            if self._attached is stream:
                self._attached, self.detached_since = None, self._clock.monotonic()
                self._taken.set()

    async def close(self) -> None:
        """Hang the shell up."""
        with suppress(SpuntoError):
            await self._shell.aclose()

    async def _converse(self, stream: Stream) -> None:
        async with asyncio.TaskGroup() as group:
            typing = group.create_task(self._type(stream), name="terminal input")
            showing = group.create_task(self._show(stream), name="terminal output")
            await asyncio.wait({typing, showing}, return_when=asyncio.FIRST_COMPLETED)
            typing.cancel()
            showing.cancel()

    async def _show(self, stream: Stream) -> None:
        while True:
            self._require_attached(stream)
            piece = self._ring.read(self._offset, _PIECE_BYTES)
            if piece:
                await stream.write(piece)
                self._require_attached(stream)
                self._offset += len(piece)
                self._taken.set()
            elif self._exit_code is not None:
                await stream.send_control({"exit": self._exit_code})
                await stream.write_eof()
                self._end_was_sent = True
                return
            else:
                self._changed.clear()
                await self._changed.wait()

    async def _type(self, stream: Stream) -> None:
        while (piece := await stream.next()) is not None:
            if isinstance(piece, bytes):
                await self._shell.write(piece)
            elif (size := _size_of(piece.get("resize"))) is not None:
                await self._shell.resize(cols=size[0], rows=size[1])

    def _require_attached(self, stream: Stream) -> None:
        if self._attached is not stream:
            raise Conflict("terminal_taken", "The terminal was attached to from elsewhere.")


def _size_of(value: object) -> tuple[int, int] | None:
    """Columns and rows; nothing for what is neither."""
    match value:
        case [int(cols), int(rows)] if 0 < cols <= _LARGEST_SIDE and 0 < rows <= _LARGEST_SIDE:
            return cols, rows
    return None
