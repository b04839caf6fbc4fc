"""Clients and workers that behave badly, through a real edge and a real relay, beside somebody who behaves."""

import asyncio
import json
import socket
import struct
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos.edges.loads import Transfer, download
from tests.chaos.edges.memory import MIB, Memory, memory_watched
from tests.chaos.edges.region import EDGE_PORT, EdgeOn, Region
from tests.chaos.edges.sockets import Talk

_NEIGHBOUR: Final = Path(__file__).with_name("neighbour.py")
_ENDLESS: Final = 1 << 40
_RESET: Final = struct.pack("ii", 1, 0)
# Of what one client that reads nothing, or is not read, holds: of processes, and of the kernel on both hosts.
_EACH_BYTES: Final = 1 * MIB
_EACH_KERNEL_BYTES: Final = 4 * MIB
_ANYHOW_BYTES: Final = 48 * MIB
_SLOWEST_SECONDS: Final = 3.0


@dataclass(slots=True)
class Neighbour:
    """Somebody who asks one thing after the other, and how long each answer took."""

    seconds: list[float] = field(default_factory=list)

    @property
    def p99(self) -> float:
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)]

    def told(self) -> str:
        return f"{len(self.seconds)} answers to a neighbour, p99 {self.p99 * 1000:.0f} ms"


async def never_read(region: Region, *, many: int, seconds: float) -> str:
    """Half of them read nothing of an endless download; the other half's endless upload is read by nobody."""
    async with _beside_a_neighbour(region) as (edge, neighbour, memory), AsyncExitStack() as stack:
        for number in range(many):
            connection = await stack.enter_async_context(_connected(edge))
            if number % 2:
                await _send(connection, _head(region, f"GET /bytes/{_ENDLESS}"))
            else:
                await _send(connection, _head(region, "PUT /deaf", f"Content-Length: {_ENDLESS}"))
                await _fill(connection)
        await asyncio.sleep(seconds)
    return _told(neighbour, memory, edge, f"{many} that are not read", many=many)


async def fall_silent(region: Region, *, many: int, seconds: float) -> str:
    """They go in the midst of a download, and the edge hears nothing of it."""
    async with _beside_a_neighbour(region) as (edge, neighbour, memory), AsyncExitStack() as stack:
        for _ in range(many):
            connection = await stack.enter_async_context(_connected(edge, region.visitors.address))
            await _send(connection, _head(region, f"GET /bytes/{_ENDLESS}"))
        edge.host.cut_off_from(region.visitors)
        await stack.aclose()
        await asyncio.sleep(seconds)
        edge.host.heal(region.visitors)
    return _told(neighbour, memory, edge, f"{many} half-open", many=many)


async def reset_in_mid_body(region: Region, *, many: int) -> str:
    """By clients, in a download and in an upload, and by the worker, whose client must not take it for an end."""
    async with _beside_a_neighbour(region) as (edge, neighbour, memory):
        for number in range(many):
            async with _connected(edge) as connection:
                request = ("GET /bytes/1000000",) if number % 2 else ("PUT /upload", "Content-Length: 1000000")
                await _send(connection, _head(region, *request))
                await _send(connection, bytes(1000) if not number % 2 else b"")
                if number % 2:
                    await asyncio.get_running_loop().sock_recv(connection, 1000)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        pace = asyncio.Event()
        pace.set()
        cut = [Transfer() for _ in range(many)]
        await asyncio.gather(*(download(region, edge, "/reset/1000000", pace, each) for each in cut))
        assert all(each.broken and not each.is_whole for each in cut), [each.received for each in cut]
    return _told(neighbour, memory, edge, f"{3 * many // 2} resets by clients, {many} by the worker", many=many)


async def flood_of_streams(region: Region, *, many: int, seconds: float) -> str:
    """So many at a time ask, over a new connection each time, and as many open a WebSocket and leave."""
    asked = 0

    async def ask(edge: EdgeOn) -> None:
        nonlocal asked
        while True:
            transfer, pace = Transfer(), asyncio.Event()
            pace.set()
            await download(region, edge, "/", pace, transfer)
            asked += transfer.is_right

    async def visit(edge: EdgeOn) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    await Talk().run(region, edge, _bearer(region))

    async with _beside_a_neighbour(region) as (edge, neighbour, memory), asyncio.TaskGroup() as group:
        flooding = [group.create_task(each(edge)) for each in (ask, visit) for _ in range(many)]
        await asyncio.sleep(seconds)
        for task in flooding:
            task.cancel()
    assert asked > many
    return _told(neighbour, memory, edge, f"{asked} streams of {2 * many} at a time", many=many)


@asynccontextmanager
async def _beside_a_neighbour(region: Region) -> AsyncIterator[tuple[EdgeOn, Neighbour, Memory]]:
    """Everybody goes through the first edge; afterwards it serves, and nothing has been started anew."""
    edge, neighbour = region.edges[0], Neighbour()
    pids = [program.pid for program in region.programs]
    asking = await asyncio.create_subprocess_exec(
        *(sys.executable, str(_NEIGHBOUR), edge.host.address, str(EDGE_PORT), region.host),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert asking.stdin is not None
    try:
        async with memory_watched(region) as memory:
            asking.stdin.write(f"{region.token}\n".encode())
            yield edge, neighbour, memory
    finally:
        asking.stdin.close()
        told, _ = await asking.communicate()
    assert asking.returncode == 0
    neighbour.seconds.extend(json.loads(told))
    assert await region.answers(edge)
    assert await region.node_runs()
    assert [program.pid for program in region.programs if program.is_running] == pids


def _told(neighbour: Neighbour, memory: Memory, edge: EdgeOn, what: str, *, many: int) -> str:
    told = f"{what}: {neighbour.told()}; {memory.told()}"
    assert neighbour.p99 < _SLOWEST_SECONDS, told
    for name, grown in memory.grown.items():
        assert grown < _ANYHOW_BYTES + many * _EACH_BYTES, told
        assert memory.kernel[name] < _ANYHOW_BYTES + many * _EACH_KERNEL_BYTES, told
    return told


@asynccontextmanager
async def _connected(edge: EdgeOn, address: str = "") -> AsyncIterator[socket.socket]:
    with socket.socket() as connection:
        # Of what its own kernel takes for it.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        connection.bind((address, 0))
        await asyncio.get_running_loop().sock_connect(connection, (edge.host.address, EDGE_PORT))
        yield connection


async def _send(connection: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(connection, data)


async def _fill(connection: socket.socket) -> None:
    """Send until nothing more is taken for a while."""
    with suppress(TimeoutError):
        while True:
            async with asyncio.timeout(0.2):
                await _send(connection, bytes(256 * 1024))


def _head(region: Region, request: str, *headers: str) -> bytes:
    lines = (f"{request} HTTP/1.1", f"Host: {region.host}", f"Authorization: Bearer {region.token}", *headers)
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def _bearer(region: Region) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {region.token}"}
