"""Two streams of two connections joined: the ends can't tell it from one stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from tests.unit.core.protocol.both_ends import Both, connected, echo, settle

from spunto.core.protocol.connection import OnStream
from spunto.core.protocol.multiplexer import StreamReset
from spunto.core.protocol.splice import splice
from spunto.core.protocol.stream import Stream

MIB = 1024 * 1024


@dataclass
class Spliced:
    """`asker` opens streams to a server in the middle, which opens them on to the `node`."""

    asker: Both
    node: Both


@asynccontextmanager
async def spliced(on_stream: OnStream) -> AsyncIterator[Spliced]:
    async with connected(on_stream=on_stream) as node:

        async def relay(stream: Stream) -> None:
            await splice(stream, node.server.open(stream.kind, stream.params))

        async with connected(on_stream=relay) as asker:
            yield Spliced(asker, node)


async def test_bytes_controls_and_ends_pass_both_ways_in_order() -> None:
    async with spliced(echo) as both:
        stream = both.asker.server.open("exec", {"a": 1})
        for piece in (b"one", {"resize": [80, 24]}, b"two"):
            if isinstance(piece, bytes):
                await stream.write(piece)
            else:
                await stream.send_control(piece)
        await stream.write_eof()

        heard = [await stream.next() for _ in range(4)]

        assert heard == [b"one", {"resize": [80, 24]}, b"two", None]
        await stream.aclose()
        await settle()
        assert len(both.asker.server.streams) == len(both.node.server.streams) == 0


async def test_more_than_a_window_passes_whole() -> None:
    data = bytes(range(256)) * 16 * 1024
    async with spliced(echo) as both:
        stream = both.asker.server.open("exec", {})

        async def feed() -> None:
            await stream.write(data)
            await stream.write_eof()

        feeding = asyncio.ensure_future(feed())
        heard = bytearray()
        while (piece := await stream.read()) is not None:
            heard += piece
        await feeding

        assert bytes(heard) == data


async def test_a_reader_that_takes_nothing_holds_the_writer() -> None:
    written = 0

    async def flood(stream: Stream) -> None:
        nonlocal written
        while True:
            await stream.write(b"x" * 16 * 1024)
            written += 16 * 1024

    async with spliced(flood) as both:
        both.asker.server.open("logs", {})
        await settle()
        settled = written
        await settle()

        assert written == settled <= MIB


@pytest.mark.parametrize("early", [True, False])
async def test_a_refusal_arrives_as_it_was_said_behind_what_came_before(early: bool) -> None:
    async def refuse(stream: Stream) -> None:
        if not early:
            await stream.write(b"half")
            await settle()
        stream.reset("engine_refused", "It will not.")

    async with spliced(refuse) as both:
        stream = both.asker.server.open("exec", {})
        if not early:
            assert await stream.next() == b"half"
        with pytest.raises(StreamReset) as caught:
            await stream.next()

        assert (caught.value.code, caught.value.message) == ("engine_refused", "It will not.")


async def test_what_was_said_before_the_end_arrives_although_nobody_listens_at_the_other_end_any_more() -> None:
    """Whoever answers and closes gives up listening as well, right behind its last byte."""

    async def answer(stream: Stream) -> None:
        await stream.write(b"x" * MIB)
        await stream.write_eof()

    async with spliced(answer) as both:
        stream = both.asker.server.open("stats", {})
        heard = 0
        while (piece := await stream.read()) is not None:
            heard += len(piece)
            await settle()

        assert heard == MIB


async def test_an_asker_that_leaves_ends_what_is_silent_at_the_node() -> None:
    ended = asyncio.Event()

    async def silent(stream: Stream) -> None:
        assert await stream.next() is None
        await stream.given_up()
        ended.set()

    async with spliced(silent) as both:
        stream = both.asker.server.open("terminal", {})
        await settle()
        await stream.aclose()
        await settle()

        assert ended.is_set()
        assert len(both.node.server.streams) == 0


async def test_a_lost_node_is_told_to_the_asker() -> None:
    async with spliced(echo) as both:
        stream = both.asker.server.open("exec", {})
        await settle()
        both.node.agent_end.abort()

        with pytest.raises(StreamReset) as caught:
            await stream.next()

        assert caught.value.code == "connection_lost"
