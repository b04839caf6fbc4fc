"""Server, edge and agent die one after the other, as by `kill -9`, under downloads, WebSockets and an upload."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable

from tests.chaos.edges.loads import Load, Transfer, download, loaded, upload
from tests.chaos.edges.memory import MIB, Memory, memory_watched
from tests.chaos.edges.region import EDGE_PORT, EdgeOn, Region
from tests.chaos.edges.sockets import Talk, talking
from tests.fixtures.processes import START_SECONDS, Program
from tests.fixtures.waiting import eventually, wait_until

BACK_SECONDS = 5.0
# Of what a process holds of each connection, and of what it keeps whatever goes through it.
_EACH_BYTES = 1 * MIB
_ANYHOW_BYTES = 48 * MIB
_SMALL = 64 * 1024


async def each_dies_under_load(region: Region, *, many: int, upload_bytes: int) -> str:
    """So many downloads and WebSockets through the first edge, with one WebSocket through the second."""
    carrier, other = region.edges
    bearer = {"Authorization": f"Bearer {region.token}"}
    told = []
    for victim in (region.server, carrier.program, region.agent):
        async with (
            memory_watched(region) as memory,
            talking(region, other, bearer) as (elsewhere,),
            talking(region, carrier, bearer, sockets=many) as talks,
            loaded(region, carrier, downloads=many, upload_bytes=upload_bytes) as load,
        ):
            connected = _connections_of(region)
            victim.kill()
            load.first.set()
            # While it is dead.
            await _over(load.early)
            victim.start()
            back_at = await asyncio.to_thread(_back_at, region, victim, connected)
            works_seconds = await _all_new_works(region, carrier) - back_at
            load.second.set()
            await _over(load.transfers)
            load.require_no_lie()
            _require_what_is_due(region, victim, load, talks, elsewhere)
            _require_bounded(memory, many=2 * many)
            told.append(
                f"{victim.name}: {load.broken} of {len(load.transfers)} broken, "
                f"{sum(talk.lives for talk in talks)} of {many} sockets live, new works {works_seconds:.1f} s after it "
                f"is back; {memory.told()}"
            )
            assert works_seconds < BACK_SECONDS, told[-1]
    return "\n".join(told)


def _back_at(region: Region, victim: Program, connected: int) -> float:
    """When it took its first question; an agent takes none, and is back when it is connected once more."""
    if victim is region.server:
        region.server.wait_ready()
    elif victim is region.agent:
        wait_until(lambda: _connections_of(region) > connected, seconds=START_SECONDS, what=victim.tail())
    else:
        [edge] = [edge for edge in region.edges if edge.program is victim]
        wait_until(lambda: _accepts(edge), seconds=START_SECONDS, what=victim.tail())
    return time.monotonic()


def _connections_of(region: Region) -> int:
    """How often its agent was connected to the server."""
    return region.agent.log.read_text().count('"event":"connected"')


def _accepts(edge: EdgeOn) -> bool:
    try:
        socket.create_connection((edge.host.address, EDGE_PORT), timeout=1).close()
    except OSError:
        return False
    return True


async def _all_new_works(region: Region, edge: EdgeOn) -> float:
    """The monotonic time at which the last of them did."""
    bearer = {"Authorization": f"Bearer {region.token}"}

    async def downloads() -> bool:
        transfer = Transfer()
        await download(region, edge, f"/chunks/{_SMALL}", _at_once(), transfer)
        return transfer.is_right and transfer.received == _SMALL

    async def uploads() -> bool:
        transfer = Transfer()
        await upload(region, edge, _SMALL, _at_once(), transfer)
        return transfer.is_right

    async def talks() -> bool:
        try:
            async with talking(region, edge, bearer) as (talk,):
                return talk.lives
        except AssertionError:
            return False

    checks: tuple[Callable[[], Awaitable[bool]], ...] = (downloads, uploads, talks, region.node_runs)
    await asyncio.gather(
        *(eventually(check, seconds=START_SECONDS, what=f"{check.__name__} again") for check in checks)
    )
    return time.monotonic()


def _at_once() -> asyncio.Event:
    pace = asyncio.Event()
    pace.set()
    return pace


async def _over(transfers: list[Transfer]) -> None:
    async def over() -> bool:
        return all(each.ended_at is not None for each in transfers)

    await eventually(over, seconds=120, what="all transfers are over")


def _require_what_is_due(region: Region, victim: Program, load: Load, talks: list[Talk], elsewhere: Talk) -> None:
    """Whatever goes through the victim breaks, and is told so; everything else goes on."""
    if victim is region.server:
        assert load.broken == 0, {each.broken for each in load.transfers}
        assert all(talk.lives for talk in talks), {talk.refusal for talk in talks}
    else:
        whole = [f"{each.received} of {each.status}" for each in load.transfers if each.is_right]
        assert whole == [], f"{victim.name} was dead, and {len(whole)} got through: {whole[:3]}"
        assert all(each.broken for each in load.downloads)
        # Nothing of its answer had come, so that an edge which lives can say what happened.
        assert load.upload.broken or load.upload.status in (502, 503), load.upload.status
        assert not any(talk.lives for talk in talks)
    assert elsewhere.lives is (victim is not region.agent)


def _require_bounded(memory: Memory, *, many: int) -> None:
    for name, grown in memory.grown.items():
        assert grown < _ANYHOW_BYTES + many * _EACH_BYTES, memory.told()
        assert memory.kernel[name] < _ANYHOW_BYTES + many * _EACH_BYTES, memory.told()
