"""The agent's way to the holder: the process beside it in which terminals live on."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from spunto.core.executor.terminals.port import (
    Ended,
    Gone,
    SessionLost,
    SessionView,
    Sight,
    Size,
    Viewing,
    Wish,
)
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.log import Log
from spunto_agent.holder import wire
from spunto_agent.holder.code import installed_code
from spunto_agent.holder.places import short_path, socket_file
from spunto_agent.holder.server import is_ours
from spunto_agent.holder.wire import BrokenFrame, Control

Address = Callable[[], Awaitable[tuple[str, str]]]
"""Kind and URL of the engine. Raises EngineUnavailable."""

_CALL_SECONDS: Final = 30.0
_START_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.02
_RETIRE_SECONDS: Final = 600.0
_AGAIN_SECONDS: Final = 2.0
_STREAM_BYTES: Final = 128 * 1024
_GREETING: Final = {"hello": {"min": wire.VERSION, "max": wire.VERSION}}

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class HolderLink:
    """A `TerminalHolder` by the holder's socket in `directory`. With `starts` it begins one where none is there."""

    def __init__(self, directory: Path, *, address: Address, starts: bool, clock: Clock, log: Log) -> None:
        self._directory = directory
        self._address = address
        self._starts = starts
        self._clock = clock
        self._log = log
        self._beginning = asyncio.Lock()

    async def run(self) -> None:
        """Have a holder of older code replaced as soon as it holds nothing, until cancelled."""
        while True:
            with suppress(Unavailable):
                await self._retire_older()
            await self._clock.sleep(_RETIRE_SECONDS)

    async def enter(self, wish: Wish) -> Viewing:
        engine, url = await self._address()
        wanted = {
            "engine": engine,
            "url": url,
            "container": wish.container,
            "session": wish.session,
            "name": wish.name,
            "offset": wish.offset,
            "cols": wish.size.cols,
            "rows": wish.size.rows,
        }
        reader, writer = await self._greeted()
        try:
            answer = await _answer(reader, writer, {"enter": wanted})
            match answer.get("entered"):
                case {"session": str(session), "offset": int(offset)}:
                    return _Viewing(reader, writer, session, offset)
            raise _unreadable()
        except BaseException:
            writer.close()
            raise

    async def list(self, container: str) -> Sequence[SessionView]:
        answer = await self._ask({"list": {"container": container}})
        return [_view(each) for each in answer.get("sessions", ())]

    async def end(self, container: str, session: str) -> None:
        await self._ask({"end": {"container": container, "session": session}})

    async def _retire_older(self) -> None:
        if not socket_file(self._directory).exists():
            return
        reader, writer = await self._connected()
        try:
            hello = await _greet(reader, writer)
            if hello.get("build") != installed_code() and "retire" in hello.get("knows", ()):
                answer = await _answer(reader, writer, {"retire": {}})
                self._log("holder_of_older_code", retired=answer.get("retired"))
        finally:
            writer.close()

    async def _ask(self, question: Control) -> Control:
        reader, writer = await self._greeted()
        try:
            return await _answer(reader, writer, question)
        finally:
            writer.close()

    async def _greeted(self) -> Ends:
        """Raises Unavailable."""
        reader, writer = await self._reached()
        try:
            await _greet(reader, writer)
        except BaseException:
            writer.close()
            raise
        return reader, writer

    async def _reached(self) -> Ends:
        try:
            return await self._connected()
        except Unavailable:
            # One that dies is started again by whoever keeps it, and by nobody twice.
            async with self._beginning:
                return await self._begun()

    async def _begun(self) -> Ends:
        deadline = self._clock.monotonic() + _START_SECONDS
        if self._starts:
            with suppress(Unavailable):
                return await self._connected()
            self._start()
        while True:
            try:
                return await self._connected()
            except Unavailable:
                if self._clock.monotonic() > deadline:
                    raise
            await self._clock.sleep(_LOOK_SECONDS)

    def _start(self) -> None:
        """Leave it to itself at once: it outlives this process."""
        command = [sys.executable, "-m", "spunto_agent.holder", str(self._directory), "--until-idle"]
        # Between the two stands a shell, so that the holder is nobody's child to wait for.
        subprocess.run(
            ["sh", "-c", '"$@" & ', "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            check=False,
        )
        self._log("holder_started", directory=str(self._directory))

    async def _connected(self) -> Ends:
        try:
            with short_path(socket_file(self._directory)) as path:
                reader, writer = await asyncio.open_unix_connection(path, limit=_STREAM_BYTES)
        except OSError as error:
            raise _away(str(error)) from error
        if not is_ours(writer):
            writer.close()
            raise _away("somebody else listens at its socket")
        return reader, writer


class _Viewing:
    """`Viewing` over one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: str, offset: int) -> None:
        self.session = session
        self.offset = offset
        self._reader = reader
        self._writer = writer

    async def next(self) -> Sight:
        while True:
            try:
                frame = await wire.read_frame(self._reader)
            except BrokenFrame as error:
                raise SessionLost(self.session) from error
            if frame is None:
                raise SessionLost(self.session)
            tag, body = frame
            if tag == wire.OUTPUT:
                offset, data = wire.said_at(body)
                self.offset = offset + len(data)
                return data
            if tag == wire.CONTROL and (sight := self._told(wire.body_of(body))) is not None:
                return sight

    async def write(self, data: bytes) -> None:
        await self._send(wire.typed(data))

    async def resize(self, size: Size, *, takes: bool) -> None:
        await self._send(wire.control({"resize": [size.cols, size.rows], "take": takes}))

    async def aclose(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _send(self, frame: bytes) -> None:
        # That it is gone is told by `next`.
        with suppress(ConnectionError):
            self._writer.write(frame)
            await self._writer.drain()

    def _told(self, said: Control) -> Sight | None:
        match said:
            case {"size": [int(cols), int(rows)]}:
                return Size(cols=cols, rows=rows)
            case {"gone": int(size_bytes), "offset": int(offset)}:
                self.offset = offset
                return Gone(size_bytes=size_bytes, offset=offset)
            case {"exit": int(exit_code)}:
                return Ended(exit_code=exit_code)
            case {"error": dict(error)}:
                raise wire.error_of(error)
        return None


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Control:
    """What the holder says of itself. Raises Unavailable."""
    answer = await _answer(reader, writer, _GREETING)
    hello = answer.get("hello")
    if not isinstance(hello, dict):
        raise _unreadable()
    return hello


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: Control) -> Control:
    """Raises what the holder refuses with, and Unavailable `holder_away`."""
    try:
        async with asyncio.timeout(_CALL_SECONDS):
            writer.write(wire.control(question))
            answer = await wire.read_control(reader)
    except (TimeoutError, ConnectionError) as error:
        raise _away("it does not answer") from error
    except BrokenFrame as error:
        raise _unreadable() from error
    if answer is None:
        raise _away("it has just ended")
    if isinstance(answer.get("error"), dict):
        raise wire.error_of(answer["error"])
    return answer


def _view(said: Any) -> SessionView:
    """Raises Unavailable."""
    try:
        return SessionView(
            session=said["session"],
            name=said["name"],
            size=Size(cols=said["cols"], rows=said["rows"]),
            viewers=said["viewers"],
            started_at=said["startedAt"],
            left_seconds=said["leftSeconds"],
        )
    except (KeyError, TypeError) as error:
        raise _unreadable() from error


def _away(why: str) -> Unavailable:
    message = f"The process that holds the node's terminals can't be reached: {why}."
    return Unavailable("holder_away", message, retry_after_seconds=_AGAIN_SECONDS)


def _unreadable() -> Unavailable:
    return Unavailable("holder_away", "The process that holds the node's terminals said something unreadable.")
