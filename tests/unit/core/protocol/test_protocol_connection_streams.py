"""Streams over a connection: what a slow or failing handler does to the rest, and how a stream ends."""

import asyncio

import pytest
from tests.unit.core.protocol.both_ends import QUICK, connected, echo, settle

from spunto.core.kernel.errors import NotFound, SpuntoError
from spunto.core.protocol.multiplexer import StreamReset
from spunto.core.protocol.stream import Stream


async def test_a_stream_carries_bytes_and_controls_both_ways() -> None:
    async with connected() as both, both.server.open("exec", {"command": ["cat"]}) as stream:
        big = bytes(range(256)) * 4096
        writer = asyncio.create_task(stream.write(big), name="writer")
        received = b""
        while len(received) < len(big):
            received += await stream.read() or b""
        await writer
        await stream.send_control({"resize": [80, 24]})
        control = await stream.next()
        await stream.write_eof()

        assert received == big
        assert control == {"resize": [80, 24]}
        assert await stream.next() is None


async def test_reading_bytes_passes_over_controls() -> None:
    async with connected() as both, both.server.open("exec", {}) as stream:
        await stream.send_control({"x": 1})
        await stream.write(b"bytes")

        assert await stream.read() == b"bytes"


async def test_a_stream_that_nobody_reads_stalls_only_its_own_writer() -> None:
    async with connected() as both, both.server.open("exec", {}) as stalled, both.server.open("exec", {}) as other:
        writer = asyncio.create_task(stalled.write(bytes(2**20)), name="writer")
        await settle()

        await other.write(b"still there?")
        assert await other.read() == b"still there?"
        await both.pass_seconds(60)

        assert not writer.done()
        assert (both.server.closed, both.agent.closed) == (None, None)
        assert both.server.rtt_seconds == 0
        stalled.reset("aborted")
        with pytest.raises(SpuntoError):
            await writer


@pytest.mark.parametrize(
    ("error", "code", "reported"),
    [
        (NotFound("container_not_found", "There is none."), "container_not_found", []),
        (ExceptionGroup("pumps", [NotFound("container_not_found", "x")]), "container_not_found", []),
        (RuntimeError("bug"), "internal_error", ["stream exec: RuntimeError('bug')"]),
    ],
)
async def test_a_failing_handler_resets_its_stream_alone(error: Exception, code: str, reported: list[str]) -> None:
    async def fail(stream: Stream) -> None:
        if stream.params.get("fail"):
            raise error
        await echo(stream)

    async with connected(on_stream=fail) as both, both.server.open("exec", {}) as other:
        async with both.server.open("exec", {"fail": True}) as failing:
            with pytest.raises(StreamReset) as reset:
                await failing.read()
        await other.write(b"x")

        assert reset.value.code == code
        assert both.errors == reported
        assert await other.read() == b"x"


async def test_the_stream_of_a_handler_that_returned_is_closed() -> None:
    async def say(stream: Stream) -> None:
        await stream.write(b"done")
        await stream.send_control({"exitCode": 0})

    async with connected(on_stream=say) as both, both.server.open("exec", {}) as stream:
        assert [await stream.next(), await stream.next(), await stream.next()] == [b"done", {"exitCode": 0}, None]


async def test_streams_are_refused_where_nobody_takes_them() -> None:
    async with connected(on_stream=None) as both, both.server.open("exec", {}) as stream:
        with pytest.raises(StreamReset) as reset:
            await stream.next()

        assert reset.value.code == "stream_refused"


async def test_handlers_that_outlive_their_streams_are_bounded() -> None:
    running = 0

    async def linger(stream: Stream) -> None:
        nonlocal running
        running += 1
        stream.reset("no_interest")
        await asyncio.Event().wait()

    async with connected(on_stream=linger) as both:
        for _ in range(600):
            both.server.open("exec", {}).reset("aborted")
            await settle()

        assert running == QUICK.handlers


async def test_a_reader_that_waits_ends_when_its_stream_is_closed() -> None:
    async with connected() as both:
        stream = both.server.open("exec", {})
        reader = asyncio.create_task(stream.next(), name="reader")
        await settle()

        await stream.aclose()

        assert await reader is None


async def test_an_aborted_block_resets_its_stream() -> None:
    ended: list[str] = []

    async def watch(stream: Stream) -> None:
        try:
            await stream.read()
        except StreamReset as reset:
            ended.append(reset.code)

    async with connected(on_stream=watch) as both:
        with pytest.raises(ZeroDivisionError):
            async with both.server.open("exec", {}):
                raise ZeroDivisionError
        await settle()

        assert ended == ["aborted"]
