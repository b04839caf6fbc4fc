"""Joins two streams of different connections, so that neither end can tell them from one."""

import asyncio
from contextlib import suppress

from spunto.core.kernel.errors import Conflict
from spunto.core.protocol.multiplexer import StreamReset
from spunto.core.protocol.stream import ConnectionLost, Stream


async def splice(one: Stream, other: Stream) -> None:
    """Pass everything on, both ways, until both directions have ended; then both streams are given up.

    Bytes and controls keep their order. A side that takes nothing off holds the other one by its credit.
    """
    try:
        async with asyncio.TaskGroup() as group:
            there = group.create_task(_pass_on(one, other), name="splice there")
            back = group.create_task(_pass_on(other, one), name="splice back")
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            ended, rest = (one, back) if there.done() else (other, there)
            # Whoever has said all that it had to say may yet stop listening.
            leaving = group.create_task(_given_up(ended), name="splice end")
            await asyncio.wait({rest, leaving}, return_when=asyncio.FIRST_COMPLETED)
            rest.cancel()
            leaving.cancel()
    finally:
        await one.aclose()
        await other.aclose()


async def _pass_on(source: Stream, sink: Stream) -> None:
    try:
        while (piece := await _next(source, sink)) is not None:
            if isinstance(piece, bytes):
                await sink.write(piece)
            else:
                await sink.send_control(piece)
        await sink.write_eof()
    except StreamReset as reset:
        source.reset(reset.code, reset.message)
    except ConnectionLost as lost:
        source.reset(lost.code, lost.message)
    except Conflict:
        # The sink was given up by ourselves, because of what happened in the other direction.
        return


async def _next(source: Stream, sink: Stream) -> bytes | dict[str, object] | None:
    """The next piece. A source that broke off breaks off the sink as well, and has no more pieces."""
    try:
        return await source.next()
    except (StreamReset, ConnectionLost) as error:
        sink.break_off(error.code, error.message)
        return None


async def _given_up(stream: Stream) -> None:
    with suppress(ConnectionLost):
        await stream.given_up()
