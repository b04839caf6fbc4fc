"""Peers that misbehave: an agent that floods, and a terminal that never reads."""

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from tests.chaos.box import Box
from tests.fixtures.processes import Program
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from spunto.core.protocol.codec import decode, encode
from spunto.core.protocol.messages import (
    Data,
    EngineReport,
    Hello,
    Observed,
    ObservedItem,
    Phase,
    Resources,
    Welcome,
)

MIB = 1024 * 1024
# Eight peers, each with a few messages of a megabyte on their way.
_GROWTH_BYTES = 128 * MIB
_SLOWEST_SECONDS = 2.0
_STOP_SECONDS = 5.0
_FLOODERS = 8

Frames = Callable[[int], Iterator[str | bytes]]


async def flooded_by_a_hostile_agent(box: Box, *, seconds: float = 4.0) -> str:
    """A node's real token in the wrong hands: the server keeps its memory, and answers everybody else."""
    made = await box.client.nodes.create(box.org_id, "hostile")
    token = made.token.get_secret_value()
    worker = await box.spawn_ready()

    async with _watched(box) as watch, asyncio.TaskGroup() as group:
        for number in range(_FLOODERS):
            frames = _FLOODS[number % len(_FLOODS)]
            group.create_task(_flood(box, token, frames, until=time.monotonic() + seconds))

    result = await box.client.workers.exec(worker, ["echo", "still here"])
    assert result.stdout == "still here\n"
    # The node that floods is another's: ours was not disturbed.
    assert (await box.node()).status == "online"
    await _stops_soon(box)
    await box.settled()
    return watch.figures()


async def _stops_soon(box: Box) -> None:
    """No connection that was cut off is left hanging in the server."""
    box.server.send(signal.SIGTERM)
    await asyncio.to_thread(box.server.wait, seconds=_STOP_SECONDS)
    box.server.start()
    await asyncio.to_thread(box.server.wait_ready)
    await box.node_is("online")


async def _flood(box: Box, token: str, frames: Frames, *, until: float) -> None:
    """Dial, say hello, send; when the door is shut, dial again at once."""
    url = box.server.url.replace("http", "ws", 1) + "/api/agent/connect"
    headers = {"Authorization": f"Bearer {token}"}
    while time.monotonic() < until:
        # An AttributeError is how asyncio answers `websockets` that gives up a connection which was reset meanwhile.
        with suppress(ConnectionClosed, InvalidHandshake, OSError, TimeoutError, AttributeError):
            async with connect(url, additional_headers=headers, max_size=None, close_timeout=1) as socket:
                await socket.send(encode(_HELLO))
                async with asyncio.timeout(2):
                    welcome = decode(await socket.recv())
                # The server may have had enough of it, and then says goodbye.
                for frame in frames(welcome.epoch) if isinstance(welcome, Welcome) else ():
                    await socket.send(frame)
                    if time.monotonic() > until:
                        return


def _control(epoch: int) -> Iterator[str]:
    """Well-formed, some 200 bytes each, and the server has to look every one up."""
    item = ObservedItem(kind="worker", id="wkr_0", generation=1, phase=Phase.RUNNING, at=datetime.now(UTC))
    while True:
        yield encode(Observed(epoch=epoch, items=(item,)))


def _data(epoch: int) -> Iterator[bytes]:
    """For a stream that there is not."""
    while True:
        yield encode(Data(7, b"x" * 200))


def _oversized(epoch: int) -> Iterator[str | bytes]:
    while True:
        yield b"x" * (900 * 1024)
        yield "x" * (2 * MIB)


def _garbage(epoch: int) -> Iterator[bytes]:
    while True:
        yield random.randbytes(200)


def _deep(epoch: int) -> Iterator[str]:
    while True:
        yield "[" * 100_000


_FLOODS: tuple[Frames, ...] = (_control, _data, _oversized, _garbage, _deep)
_HELLO = Hello(
    agent_version="0",
    instance_id="hostile",
    boot_id="hostile",
    capabilities=("kind:worker",),
    engine=EngineReport(name="docker", version="0"),
    resources=Resources(cpu_millis=1, memory_bytes=1, max_worker_cpu_millis=1),
)


async def terminal_never_read(box: Box, *, seconds: float = 4.0) -> str:
    """A shell that prints without end to somebody who does not look: nothing piles up, and the node stays reachable."""
    await box.client.projects.update(box.org_id, box.project_id, {"cpus": 1})
    worker = await box.spawn_ready()

    async with box.client.workers.terminal(worker) as terminal:
        await terminal.write(b"yes\n")
        async with _watched(box) as watch:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                result = await box.client.workers.exec(worker, ["echo", "still here"])
                assert result.stdout == "still here\n"

    assert (await box.node()).status == "online"
    await box.settled()
    return watch.figures()


class _Watch:
    """How slowly others were answered meanwhile, and how far the processes' memory grew."""

    def __init__(self, *programs: Program) -> None:
        self._programs = programs
        self._before = {program.name: program.rss_bytes for program in programs}
        self._most = dict(self._before)
        self._seconds: list[float] = []

    async def watch(self, box: Box) -> None:
        while True:
            begun = time.monotonic()
            await box.client.workers.list(box.org_id, box.project_id)
            self._seconds.append(time.monotonic() - begun)
            for program in self._programs:
                self._most[program.name] = max(self._most[program.name], program.rss_bytes)
            await asyncio.sleep(0.02)

    def check(self) -> None:
        assert self._seconds, "nothing was answered"
        assert max(self._seconds) < _SLOWEST_SECONDS, self.figures()
        for program in self._programs:
            assert program.is_running, program.tail()
            assert self._most[program.name] - self._before[program.name] < _GROWTH_BYTES, self.figures()

    def figures(self) -> str:
        grown = ", ".join(
            f"{name} {self._before[name] // MIB} to {most // MIB} MiB" for name, most in self._most.items()
        )
        return f"{grown}; {len(self._seconds)} answers to others, slowest {max(self._seconds) * 1000:.0f} ms"


@asynccontextmanager
async def _watched(box: Box) -> AsyncIterator[_Watch]:
    watch = _Watch(box.server, box.agent)
    watching = asyncio.create_task(watch.watch(box), name="watch")
    try:
        yield watch
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    watch.check()
