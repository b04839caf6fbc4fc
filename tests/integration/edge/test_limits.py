"""What one client can hold of the edge: so much memory, so many connections, so long."""

import asyncio
import gc
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
from tests.integration.edge.doors import QUICK, SOON_SECONDS, door_to
from tests.integration.edge.origins import Origin, Reader, Writer, scripted_origin

from spunto.entrypoints.edge.seams import Answer

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
MANY = 40
PIECE = bytes(64 * 1024)
MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"", None), (b"GET / HTTP/1.1\r\nHost: a\r\n", 408), (GET, 200), (GET + b"GET /", 200)],
    ids=["nothing", "a part", "one", "one and a part"],
)
async def test_who_sends_no_whole_head_is_not_waited_for(sent: bytes, status: int | None, origin: Origin) -> None:
    async with door_to(origin.target, times=QUICK) as door, door.connected() as wire:
        await wire.send(sent)
        if status is not None:
            assert (await wire.answer()).status == status
        if sent.endswith(b"GET /"):
            assert (await wire.answer()).status == 408
        assert await wire.rest() == b""


async def test_a_head_that_goes_on_for_ever_is_not_waited_for(origin: Origin) -> None:
    async with door_to(origin.target, times=QUICK) as door, door.connected() as wire:
        await wire.send(b"GET / HTTP/1.1\r\n")
        answering = asyncio.create_task(wire.answer())
        while not answering.done():
            await wire.send(b"X: y\r\n")
            await asyncio.wait({answering}, timeout=QUICK.head / 5)
        assert answering.result().status == 408


async def test_a_slow_body_may_take_its_time(origin: Origin) -> None:
    pieces = 6

    async with door_to(origin.target, times=QUICK) as door, door.connected() as wire:
        await wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % pieces)
        answering = asyncio.create_task(wire.answer("POST"))
        for _ in range(pieces):
            await asyncio.wait({answering}, timeout=QUICK.stalled / 2)
            await wire.send(b"a")
        assert (await answering).status == 200


async def test_a_body_of_which_nothing_more_comes_is_given_up(origin: Origin) -> None:
    async with door_to(origin.target, times=QUICK) as door, door.connected() as wire:
        got = await wire.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")

    assert (got.status, got.headers["connection"], origin.requests) == (400, "close", [])


@pytest.mark.parametrize("at", ["a port", "a path"])
async def test_a_client_that_reads_nothing_is_given_up(at: str, tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            await Pouring().into(writer)
        finally:
            ended.set()

    async with (
        scripted_origin(handle) as origin,
        door_to(origin.target, times=QUICK, path=tmp_path / "door" if at == "a path" else None) as door,
        door.connected(receive_bytes=4096) as wire,
    ):
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await wire.send(GET)
        async with asyncio.timeout(SOON_SECONDS):
            await ended.wait()


async def test_clients_that_read_nothing_hold_little_memory() -> None:
    pouring = Pouring()

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await pouring.into(writer)

    async with scripted_origin(handle) as origin, door_to(origin.target) as door, AsyncExitStack() as stack:
        before = resident_bytes()
        for _ in range(MANY):
            wire = await stack.enter_async_context(door.connected(receive_bytes=4096))
            wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await wire.send(GET)
        await pouring.stopped(whole=MANY * len(PIECE))

        # Most of what the origin got rid of lies in the system's buffers, between it and the edge.
        assert pouring.bytes / MANY < 8 * MIB
        assert (resident_bytes() - before) / MANY < MIB
        answer = Answer(status=204)
        door.decider.decide_otherwise = lambda _: answer
        assert (await door.ask(GET)).status == 204


async def test_bodies_that_nobody_takes_hold_little_memory() -> None:
    pouring = Pouring()

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.Event().wait()

    async with scripted_origin(handle) as origin, door_to(origin.target) as door, AsyncExitStack() as stack:
        before = resident_bytes()
        group = await stack.enter_async_context(Helpers())
        for _ in range(MANY):
            wire = await stack.enter_async_context(door.connected())
            await wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % 2**40)
            group.start(pouring.into(wire.writer))
        await pouring.stopped(whole=MANY * len(PIECE))

        assert pouring.bytes / MANY < 12 * MIB
        assert (resident_bytes() - before) / MANY < MIB


async def test_a_flood_of_requests_behind_one_that_waits_is_not_read() -> None:
    go_on = asyncio.Event()

    async def handle(reader: Reader, writer: Writer) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            await go_on.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with (
        scripted_origin(handle) as origin,
        door_to(origin.target) as door,
        door.connected() as wire,
        AsyncExitStack() as stack,
    ):
        pouring = Pouring(GET * 1000)
        group = await stack.enter_async_context(Helpers())
        group.start(pouring.into(wire.writer))
        await pouring.stopped(whole=1)
        assert pouring.bytes < 8 * MIB
        assert len(door.decider.asked) == 1
        go_on.set()
        for _ in range(100):
            assert (await wire.answer()).status == 200


async def test_there_are_never_more_connections_than_there_is_room(origin: Origin) -> None:
    async with door_to(origin.target, capacity=8) as door, AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(door.connected()) for _ in range(30)]
        assert (await wires[-1].ask(GET)).status == 200
        assert len(door.crowd) <= 8
        assert await wires[0].rest() == b""


async def test_a_parked_request_whose_client_leaves_is_dropped(origin: Origin) -> None:
    parked, dropped = asyncio.Event(), asyncio.Event()

    async def park() -> None:
        parked.set()
        try:
            await asyncio.Event().wait()
        finally:
            dropped.set()

    async with door_to(origin.target, times=QUICK) as door:
        door.decider.parked = park
        async with door.connected() as wire:
            await wire.send(GET)
            await parked.wait()
        async with asyncio.timeout(SOON_SECONDS):
            await dropped.wait()


class Pouring:
    """Bytes into writers until they take no more."""

    def __init__(self, piece: bytes = PIECE) -> None:
        self.bytes = 0
        self._piece = piece
        self._moved = asyncio.Event()

    async def into(self, writer: Writer) -> None:
        while True:
            writer.write(self._piece)
            self.bytes += len(self._piece)
            self._moved.set()
            await writer.drain()

    async def stopped(self, *, whole: int) -> None:
        """Wait until so much is gone, and then no more."""
        while True:
            self._moved.clear()
            try:
                async with asyncio.timeout(0.5):
                    await self._moved.wait()
            except TimeoutError:
                if self.bytes >= whole:
                    return


class Helpers:
    """Tasks that end with the test."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def resident_bytes() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)
