"""Following a worker's log over a WebSocket, and over lost connections."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from spunto.client.log_lines import LogLine, rfc3339
from spunto.client.sockets import Ending, close_code_of, ending_of, frame_of, is_passing, refusal, reported
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import SpuntoError

LONGEST_TAIL = 10_000
_FASTEST_SECONDS, _SLOWEST_SECONDS = 0.1, 5.0

Dial = Callable[[Mapping[str, Any]], Awaitable[ClientConnection]]


class LogCursor:
    """Which lines of a followed log have been read, so that following it anew repeats none.

    Then the server sends from some earlier line on: lines of an earlier time are known, and lines of the very moment
    of the last one are told apart by counting.
    """

    def __init__(self) -> None:
        self.since: datetime | None = None
        self._read_of_moment = 0
        self._to_skip = 0

    def resume(self) -> None:
        self._to_skip = self._read_of_moment

    def admits(self, line: LogLine) -> bool:
        """Whether the line is new; it counts as read then."""
        if line.at is None or self.since is None or line.at > self.since:
            self._read_of_moment = 1
            self._to_skip = 0
            self.since = line.at or self.since
            return True
        if line.at < self.since and self._to_skip:
            return False
        if self._to_skip:
            self._to_skip -= 1
            return False
        self._read_of_moment += line.at == self.since
        return True


async def followed(dial: Dial, *, tail: int, since: datetime | None, clock: Clock) -> AsyncIterator[LogLine]:
    """Lines as they are written, until the server says that there will be no more."""
    cursor = LogCursor()
    params: Mapping[str, Any] = {"tail": tail, "since": rfc3339(since)}
    delay_seconds = _FASTEST_SECONDS
    while True:
        try:
            connection = await dial(params)
        except SpuntoError as error:
            if not is_passing(error) or cursor.since is None:
                raise
            await clock.sleep(delay_seconds * (0.5 + random.random() / 2))  # noqa: S311 - spreads, guards nothing
            delay_seconds = min(_SLOWEST_SECONDS, delay_seconds * 2)
            continue
        async with connection:
            async for line in _received(connection):
                delay_seconds = _FASTEST_SECONDS
                if cursor.admits(line):
                    yield line
            if ending_of(connection.close_code) is Ending.FINISHED:
                return
        cursor.resume()
        # The longest tail there is: what was read of it already is known by its time.
        params = params if cursor.since is None else {"tail": LONGEST_TAIL}


async def _received(connection: ClientConnection) -> AsyncIterator[LogLine]:
    """The lines of one connection, to its end. Raises where the server refuses to go on."""
    while True:
        try:
            frame = frame_of(await connection.recv())
        except ConnectionClosed as closed:
            if ending_of(close_code_of(closed)) is Ending.REFUSED:
                raise refusal(closed) from closed
            return
        if frame.get("type") == "error":
            error = await reported(connection, frame)
            if is_passing(error):
                return
            raise error
        if "line" in frame:
            yield LogLine.model_validate(frame)
