"""Serves the streams that show a terminal, and those that tell which there are."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson

from spunto.core.executor.streams.params import Params
from spunto.core.executor.terminals.port import (
    LARGEST_SIDE,
    Ended,
    Gone,
    SessionView,
    Size,
    TerminalHolder,
    Viewing,
    Wish,
)
from spunto.core.protocol.stream import Stream


async def serve_terminal(stream: Stream, holder: TerminalHolder, name: str, params: Params) -> None:
    """A new terminal of the container, or the one that `session` or `name` names, until either side ends.

    What the holder refuses with is the stream's reset.
    """
    size = Size(
        cols=params.number("cols", default=80, lowest=1, highest=LARGEST_SIDE),
        rows=params.number("rows", default=24, lowest=1, highest=LARGEST_SIDE),
    )
    wish = Wish(
        container=name,
        session=params.optional_text("session"),
        name=params.optional_text("name"),
        offset=params.optional_number("offset"),
        size=size,
    )
    viewing = await holder.enter(wish)
    try:
        await stream.send_control({"session": viewing.session, "offset": viewing.offset})
        await _converse(stream, viewing)
    finally:
        await viewing.aclose()


async def serve_terminals(stream: Stream, holder: TerminalHolder, name: str, params: Params) -> None:
    """The living terminals of the container, as JSON; the one that `end` names is hung up before."""
    ended = params.optional_text("end")
    if ended is not None:
        await holder.end(name, ended)
    await stream.write(orjson.dumps({"items": _items(await holder.list(name))}))
    await stream.write_eof()


async def _converse(stream: Stream, viewing: Viewing) -> None:
    async with asyncio.TaskGroup() as group:
        typing = group.create_task(_type(stream, viewing), name="terminal input")
        showing = group.create_task(_show(stream, viewing), name="terminal output")
        await asyncio.wait({typing, showing}, return_when=asyncio.FIRST_COMPLETED)
        typing.cancel()
        showing.cancel()


async def _show(stream: Stream, viewing: Viewing) -> None:
    while True:
        match await viewing.next():
            case bytes(data):
                await stream.write(data)
            case Size(cols=cols, rows=rows):
                await stream.send_control({"size": [cols, rows]})
            case Gone(size_bytes=size_bytes, offset=offset):
                await stream.send_control({"lost": size_bytes, "offset": offset})
            case Ended(exit_code=exit_code):
                await stream.send_control({"exit": exit_code})
                await stream.write_eof()
                return


async def _type(stream: Stream, viewing: Viewing) -> None:
    while (piece := await stream.next()) is not None:
        if isinstance(piece, bytes):
            await viewing.write(piece)
        elif (size := _size_of(piece.get("resize"))) is not None:
            await viewing.resize(size, takes=piece.get("take") is True)


def _size_of(value: object) -> Size | None:
    """Nothing for what is no size."""
    match value:
        case [int(cols), int(rows)] if 0 < cols <= LARGEST_SIDE and 0 < rows <= LARGEST_SIDE:
            return Size(cols=cols, rows=rows)
    return None


def _items(views: Sequence[SessionView]) -> list[dict[str, Any]]:
    return [
        {
            "session": each.session,
            "name": each.name,
            "cols": each.size.cols,
            "rows": each.size.rows,
            "viewers": each.viewers,
            "startedAt": each.started_at,
            "leftSeconds": each.left_seconds,
        }
        for each in views
    ]
