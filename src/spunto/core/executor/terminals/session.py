"""One shell in a pseudo-terminal, and everybody who looks at it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from spunto.core.executor.terminals.output import Output
from spunto.core.executor.terminals.port import Ended, Gone, Shell, Sight, Size
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import SpuntoError

# How far the shell may be ahead of whoever sees the most: a program that floods is held, not remembered.
UNREAD_BYTES: Final = 256 * 1024
UNKNOWN_CODE: Final = -1
_PIECE_BYTES: Final = 32 * 1024


class Session:
    """`pump` reads the shell into the output, no faster than the fastest of its viewers takes it."""

    def __init__(
        self, session: str, name: str | None, container: str, shell: Shell, output: Output, *, size: Size, clock: Clock
    ) -> None:
        self.session = session
        self.name = name
        self.container = container
        self.size = size
        self.output = output
        self.viewers: list[Viewer] = []
        self.exit_code: int | None = None
        self.ended_at: float | None = None
        self.end_was_told = False
        self.started_at = clock.now().timestamp()
        self.left_since: float | None = clock.monotonic()
        self._shell = shell
        self._clock = clock
        self._taken = asyncio.Event()
        self._fitting = asyncio.Lock()
        self._taker: Viewer | None = None

    @property
    def lives(self) -> bool:
        return self.ended_at is None

    async def pump(self) -> None:
        """Read until the shell ends."""
        try:
            while (data := await self._shell.read()) is not None:
                self.output.append(data)
                self._wake()
                while self.viewers and self.output.end - max(each.offset for each in self.viewers) > UNREAD_BYTES:
                    self._taken.clear()
                    await self._taken.wait()
            self.exit_code = await self._shell.exit_code()
        except SpuntoError:
            self.exit_code = UNKNOWN_CODE
        finally:
            if self.exit_code is None:
                self.exit_code = UNKNOWN_CODE
            self.ended_at = self._clock.monotonic()
            self._wake()
            await self.hang_up()

    def view(self, offset: int | None, size: Size) -> "Viewer":
        """Somebody looks, from the offset on as far as it is kept; `fit` afterwards."""
        start, end = self.output.start, self.output.end
        viewer = Viewer(self, start if offset is None else min(max(offset, 0), end), size)
        viewer.skip_to(start)
        self.viewers.append(viewer)
        self.left_since = None
        self._taken.set()
        return viewer

    async def hang_up(self) -> None:
        with suppress(SpuntoError):
            await self._shell.aclose()

    async def type(self, data: bytes) -> None:
        await self._shell.write(data)

    async def resize(self, viewer: "Viewer", size: Size, *, takes: bool) -> None:
        viewer.size = size
        if takes:
            self._taker = viewer
        await self.fit()

    async def fit(self) -> None:
        """Bring the shell to the size that holds now, and tell those who have another one."""
        async with self._fitting:
            wanted = self._wanted()
            if wanted != self.size and self.lives:
                self.size = wanted
                with suppress(SpuntoError):
                    await self._shell.resize(cols=wanted.cols, rows=wanted.rows)
        self._wake()

    async def leave(self, viewer: "Viewer") -> None:
        if viewer not in self.viewers:
            return
        self.viewers.remove(viewer)
        if self._taker is viewer:
            self._taker = None
        self._taken.set()
        if not self.viewers:
            self.left_since = self._clock.monotonic()
        elif self.lives:
            await self.fit()

    def took(self) -> None:
        """A viewer got on."""
        self._taken.set()

    def _wanted(self) -> Size:
        if not self.viewers:
            return self.size
        if self._taker is not None:
            return self._taker.size
        sizes = [each.size for each in self.viewers]
        return Size(cols=min(each.cols for each in sizes), rows=min(each.rows for each in sizes))

    def _wake(self) -> None:
        for viewer in self.viewers:
            viewer.wake()


class Viewer:
    """`Viewing` in the process that holds the shell. `offset` is that of the next byte that it gets.

    Whoever would rather be called than wait sets `woken`, and looks by itself.
    """

    def __init__(self, session: Session, offset: int, size: Size) -> None:
        self._of = session
        self.session = session.session
        self.offset = offset
        self.size = size
        self._shown = size
        self._is_asking = False
        self._missed_bytes = 0
        self._changed = asyncio.Event()
        self.woken: Callable[[], None] = self._changed.set

    async def next(self) -> Sight:
        while (sight := self.look()) is None:
            self._changed.clear()
            await self._changed.wait()
        return sight

    def look(self) -> Sight | None:
        """What there is to see now."""
        held = self._of
        if held.size != self._shown and not self._is_asking:
            self._shown = held.size
            return held.size
        self.skip_to(held.output.start)
        if self._missed_bytes:
            missed_bytes, self._missed_bytes = self._missed_bytes, 0
            return Gone(size_bytes=missed_bytes, offset=self.offset)
        piece = held.output.read(self.offset, _PIECE_BYTES)
        if piece:
            self.offset += len(piece)
            held.took()
            return piece
        if held.exit_code is None:
            return None
        held.end_was_told = True
        return Ended(exit_code=held.exit_code)

    def skip_to(self, start: int) -> None:
        """Nothing is kept from before."""
        self._missed_bytes += max(0, start - self.offset)
        self.offset = max(self.offset, start)

    async def write(self, data: bytes) -> None:
        await self._of.type(data)

    async def resize(self, size: Size, *, takes: bool) -> None:
        self._shown, self._is_asking = size, True
        try:
            await self._of.resize(self, size, takes=takes)
        finally:
            self._is_asking = False
            self.wake()

    async def aclose(self) -> None:
        await self._of.leave(self)

    def wake(self) -> None:
        self.woken()
