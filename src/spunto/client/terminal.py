"""A shell in a worker that outlives its connection: output goes on at the byte where it broke off."""

import asyncio
import base64
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from spunto.client.errors import ServerUnreachable
from spunto.client.sockets import Ending, close_code_of, ending_of, frame_of, is_passing, refusal, reported
from spunto.client.terminal_track import TerminalTrack
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import SpuntoError

# So long does a node keep a shell that nobody is attached to.
KEPT_SECONDS = 600.0
_FASTEST_SECONDS, _SLOWEST_SECONDS = 0.05, 2.0
_READY_SECONDS = 30.0

Dial = Callable[[Mapping[str, Any]], Awaitable[ClientConnection]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """The connection stands. `missed_bytes` of output are gone, because the node keeps only so much of it."""

    session: str
    missed_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Detached:
    """The connection is lost; attaching again has begun."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    code: int


TerminalEvent = Attached | Output | Detached | Exited


class Terminal:
    """An interactive shell. Use as `async with`, read `events()` in one task, write and resize from any.

    Output is neither lost nor repeated over a lost connection. Input that was on its way when it broke may be lost,
    but is never sent twice.
    """

    def __init__(
        self,
        dial: Dial,
        *,
        clock: Clock,
        cols: int,
        rows: int,
        name: str | None = None,
        session: str | None = None,
        patience_seconds: float = KEPT_SECONDS,
    ):
        self._dial = dial
        self._clock = clock
        self._size = (cols, rows)
        self._patience_seconds = patience_seconds
        self._track = TerminalTrack(session)
        self._name = name
        self._connection: ClientConnection | None = None
        self._standing = asyncio.Event()

    async def __aenter__(self) -> "Terminal":
        """Attach. Raises what the server refuses with."""
        self._first = await self._attach()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Detach; the shell stays on its node for a while. What is written from now on goes nowhere."""
        connection, self._connection = self._connection, None
        self._standing.set()
        if connection is not None:
            await connection.close()

    @property
    def session(self) -> str | None:
        return self._track.session

    async def events(self) -> AsyncIterator[TerminalEvent]:
        """What happens, until the shell exits or attaching again fails for `patience_seconds`."""
        attached = self._first
        try:
            while True:
                yield attached
                try:
                    async for event in self._frames():
                        yield event
                        if isinstance(event, Exited):
                            return
                except _Lost as lost:
                    self._standing.clear()
                    yield Detached(reason=lost.reason)
                attached = await self._attach_again()
        finally:
            await self.aclose()

    async def write(self, data: bytes) -> None:
        """Send input. Waits while there is no connection."""
        await self._send({"type": "input", "data": base64.b64encode(data).decode()})

    async def resize(self, *, cols: int, rows: int) -> None:
        """Tell the shell its new size; without a connection, with the next one. Of several who look at one terminal,
        the smallest size holds."""
        self._size = (cols, rows)
        if self._standing.is_set():
            await self._send({"type": "resize", "cols": cols, "rows": rows})

    async def take_size(self) -> None:
        """Have this one's size hold for all who look at the terminal, until it leaves or another takes it."""
        cols, rows = self._size
        if self._standing.is_set():
            await self._send({"type": "resize", "cols": cols, "rows": rows, "take": True})

    async def _send(self, frame: Mapping[str, Any]) -> None:
        await self._standing.wait()
        connection = self._connection
        if connection is None:
            return
        try:
            await connection.send(json.dumps(frame))
        except ConnectionClosed:
            # Whether it left is unknown, and a command that runs twice is worse than one to type again.
            if self._connection is connection:
                self._standing.clear()

    async def _attach(self) -> Attached:
        cols, rows = self._size
        track = self._track
        wanted = {"cols": cols, "rows": rows, "session": track.session, "offset": track.offset}
        # Only the first time: a shell that has ended meanwhile must not be taken for a new one of its name.
        connection = await self._dial(wanted if track.session is not None else {**wanted, "name": self._name})
        try:
            ready = await self._first_frame(connection)
        except BaseException:
            await connection.close()
            raise
        session = str(ready["session"])
        missed_bytes = track.attached(session=session, offset=int(ready["offset"]))
        self._connection = connection
        self._standing.set()
        return Attached(session=session, missed_bytes=missed_bytes)

    async def _first_frame(self, connection: ClientConnection) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(_READY_SECONDS):
                frame = frame_of(await connection.recv())
        except TimeoutError as error:
            raise ServerUnreachable("request_timeout", "The worker's terminal did not open in time.") from error
        except ConnectionClosed as closed:
            raise refusal(closed) from closed
        if frame.get("type") == "error":
            raise await reported(connection, frame)
        return frame

    async def _attach_again(self) -> Attached:
        deadline = self._clock.monotonic() + self._patience_seconds
        delay_seconds = _FASTEST_SECONDS
        while True:
            try:
                return await self._attach()
            except SpuntoError as error:
                if not is_passing(error) or self._clock.monotonic() >= deadline:
                    raise
            await self._clock.sleep(delay_seconds * (0.5 + random.random() / 2))  # noqa: S311 - spreads, guards nothing
            delay_seconds = min(_SLOWEST_SECONDS, delay_seconds * 2)

    async def _frames(self) -> AsyncIterator[TerminalEvent]:
        connection = self._connection
        if connection is None:
            raise _Lost("closed here")
        while True:
            try:
                frame = frame_of(await connection.recv())
            except ConnectionClosed as closed:
                if ending_of(close_code_of(closed)) is Ending.REFUSED:
                    raise refusal(closed) from closed
                raise _Lost(str(closed)) from closed
            event = await self._event(connection, frame)
            if event is not None:
                yield event

    async def _event(self, connection: ClientConnection, frame: Mapping[str, Any]) -> TerminalEvent | None:
        match frame.get("type"):
            case "output":
                data = self._track.accept(base64.b64decode(str(frame["data"])))
                return Output(data=data) if data else None
            case "lost":
                self._track.skipped(int(frame["offset"]))
            case "exit":
                return Exited(code=int(frame["code"]))
            case "error":
                error = await reported(connection, frame)
                if is_passing(error):
                    raise _Lost(error.message)
                raise error
        # A frame of a later server.
        return None


class _Lost(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
