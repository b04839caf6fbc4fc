"""The holder's end of its Unix socket: one connection for each question, and one for each look at a terminal."""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from spunto.core.executor.terminals.port import (
    LARGEST_SIDE,
    Ended,
    Gone,
    SessionView,
    Sight,
    Size,
    Viewing,
    Wish,
)
from spunto.core.executor.terminals.session import Viewer
from spunto.core.executor.terminals.sessions import Sessions
from spunto.core.kernel.errors import Invalid, SpuntoError, Unavailable
from spunto.core.kernel.log import Log
from spunto_agent.holder import wire
from spunto_agent.holder.wire import BrokenFrame, Control

GREETING_SECONDS: Final = 10.0
MAX_CONNECTIONS: Final = 2048
_BUFFERED_BYTES: Final = 64 * 1024
_CREDENTIALS: Final = struct.Struct("3i")
KNOWS: Final = ("enter", "list", "end", "retire")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineWish(Wish):
    """A wish for a terminal on the engine of this kind at this URL."""

    engine: str
    url: str


class HolderServer:
    """`used_at` is when somebody was last connected, by the loop's clock. `retire` is called where nothing is held."""

    def __init__(self, holder: Sessions, *, build: str, retire: Callable[[], bool], log: Log) -> None:
        self._holder = holder
        self._build = build
        self._retire = retire
        self._log = log
        self._serving: set[asyncio.Task[None]] = set()
        self.used_at = asyncio.get_running_loop().time()
        self._answers: dict[str, Callable[[Any], Awaitable[Control]]] = {
            "list": self._list,
            "end": self._end,
            "retire": self._retired,
        }

    @property
    def is_used(self) -> bool:
        return bool(self._serving)

    def accept(self, group: asyncio.TaskGroup) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        """Has connections served by tasks of the group."""

        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            serving = group.create_task(self.serve(reader, writer), name="connection")
            self._serving.add(serving)
            serving.add_done_callback(self._serving.discard)

        return accepted

    def close(self) -> None:
        """End all connections."""
        for serving in self._serving:
            serving.cancel()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection to its end."""
        if not is_ours(writer) or len(self._serving) > MAX_CONNECTIONS:
            writer.close()
            return
        # More than that behind a slow viewer waits in the session's own memory.
        writer.transport.set_write_buffer_limits(high=_BUFFERED_BYTES)
        try:
            await self._converse(reader, writer)
        except SpuntoError as error:
            writer.write(wire.control(wire.refusal(error)))
        except (BrokenFrame, ConnectionError, TimeoutError) as error:
            self._log("holder_connection_broken", error=str(error) or type(error).__name__)
        except Exception as error:  # noqa: BLE001 - one connection's bug must not end the others' terminals
            self._log("holder_failed", error=repr(error))
        finally:
            self.used_at = asyncio.get_running_loop().time()
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(GREETING_SECONDS):
            greeting = await wire.read_control(reader)
            if greeting is None:
                return
            _require_version(greeting)
            hello = {"version": wire.VERSION, "knows": list(KNOWS), "pid": os.getpid(), "build": self._build}
            writer.write(wire.control({"hello": hello}))
            asked = await wire.read_control(reader)
        match asked:
            case {"enter": dict(wanted)}:
                await self._enter(wanted, reader, writer)
            case dict():
                [(word, wanted)] = list(asked.items())[:1] or [("", None)]
                answer = self._answers.get(word)
                if answer is None:
                    raise Invalid("holder_asked_unknown", f"This holder knows nothing of {word[:64]!r}.")
                writer.write(wire.control(await answer(wanted)))

    async def _enter(self, wanted: Control, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        viewing = await self._holder.enter(_wish(wanted))
        try:
            writer.write(wire.control({"entered": {"session": viewing.session, "offset": viewing.offset}}))
            async with asyncio.TaskGroup() as group:
                typing = group.create_task(_type(reader, viewing), name="typing")
                showing = group.create_task(_Show(writer, viewing).run(), name="showing")
                await asyncio.wait({typing, showing}, return_when=asyncio.FIRST_COMPLETED)
                typing.cancel()
                showing.cancel()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        finally:
            await viewing.aclose()

    async def _list(self, wanted: Any) -> Control:
        views = await self._holder.list(_text(wanted, "container"))
        return {"sessions": [_told(each) for each in views]}

    async def _end(self, wanted: Any) -> Control:
        await self._holder.end(_text(wanted, "container"), _text(wanted, "session"))
        return {"ended": {}}

    async def _retired(self, _: Any) -> Control:
        return {"retired": self._retire()}


def is_ours(writer: asyncio.StreamWriter) -> bool:
    """Whether the other side runs as this very user, or as root."""
    peer: socket.socket = writer.get_extra_info("socket")
    _, uid, _ = _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return uid in (0, os.geteuid())


class _Show:
    """Sends what there is to see in the very moment in which it comes: a key's echo waits for no task's turn."""

    def __init__(self, writer: asyncio.StreamWriter, viewer: Viewer) -> None:
        self._writer = writer
        self._viewer = viewer
        self._has_room = True
        self._stuck = asyncio.Event()
        self._ended = False

    async def run(self) -> None:
        """Until the shell's end was sent, or nobody is there to take it."""
        self._viewer.woken = self._send
        self._send()
        while not self._ended:
            await self._stuck.wait()
            self._stuck.clear()
            await self._writer.drain()
            self._has_room = True
            self._send()

    def _send(self) -> None:
        while self._has_room and not self._ended and not self._writer.is_closing():
            offset = self._viewer.offset
            sight = self._viewer.look()
            if sight is None:
                return
            self._writer.write(_frame(sight, offset))
            self._ended = isinstance(sight, Ended)
            self._has_room = self._writer.transport.get_write_buffer_size() < _BUFFERED_BYTES
        self._stuck.set()


def _frame(sight: Sight, offset: int) -> bytes:
    match sight:
        case bytes(data):
            return wire.output(offset, data)
        case Size(cols=cols, rows=rows):
            return wire.control({"size": [cols, rows]})
        case Gone(size_bytes=size_bytes, offset=goes_on_at):
            return wire.control({"gone": size_bytes, "offset": goes_on_at})
        case Ended(exit_code=exit_code):
            return wire.control({"exit": exit_code})


async def _type(reader: asyncio.StreamReader, viewing: Viewing) -> None:
    while (frame := await wire.read_frame(reader)) is not None:
        tag, body = frame
        if tag == wire.INPUT:
            await viewing.write(body)
        elif tag == wire.CONTROL:
            match wire.body_of(body):
                case {"resize": [int(cols), int(rows)], **rest} if min(cols, rows) > 0:
                    await viewing.resize(_size(cols, rows), takes=rest.get("take") is True)


def _require_version(greeting: Control) -> None:
    match greeting.get("hello"):
        case {"min": int(lowest), "max": int(highest)} if lowest <= wire.VERSION <= highest:
            return
    raise Unavailable("holder_version", "The node's holder of terminals is older or newer than its agent.")


def _wish(wanted: Control) -> EngineWish:
    offset, session, name = wanted.get("offset"), wanted.get("session"), wanted.get("name")
    cols, rows = wanted.get("cols"), wanted.get("rows")
    return EngineWish(
        engine=_text(wanted, "engine"),
        url=_text(wanted, "url"),
        container=_text(wanted, "container"),
        session=session if isinstance(session, str) else None,
        name=name if isinstance(name, str) else None,
        offset=offset if isinstance(offset, int) else None,
        size=_size(cols if isinstance(cols, int) else 80, rows if isinstance(rows, int) else 24),
    )


def _size(cols: int, rows: int) -> Size:
    return Size(cols=max(1, min(LARGEST_SIDE, cols)), rows=max(1, min(LARGEST_SIDE, rows)))


def _text(wanted: Any, name: str) -> str:
    value = wanted.get(name) if isinstance(wanted, dict) else None
    if not isinstance(value, str):
        raise Invalid("holder_asked_badly", f"{name!r} is missing.")
    return value


def _told(view: SessionView) -> Control:
    return {
        "session": view.session,
        "name": view.name,
        "cols": view.size.cols,
        "rows": view.size.rows,
        "viewers": view.viewers,
        "startedAt": view.started_at,
        "leftSeconds": view.left_seconds,
    }
