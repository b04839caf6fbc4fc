"""Many idle agents in one process: tokens on standard input; says `connected N`, then beats its hearts.

Each speaks the real protocol, and tells what stands on its node as often as a real one whose list does not change: at
the connect, and again after UNCHANGED_LISTS lists. Only there is no engine behind it.
"""

import asyncio
import sys
from datetime import UTC, datetime

import uvloop
from websockets.asyncio.client import connect

from spunto.core.executor.listing import UNCHANGED_LISTS
from spunto.core.protocol.codec import decode, encode
from spunto.core.protocol.messages import EngineReport, Hello, Inventory, InventoryItem, Ping, Pong, Resources, Welcome

AT_ONCE = 32
HEARTBEAT_SECONDS = 15.0
LIST_SECONDS = 30.0
BEATS_AN_INVENTORY = round(UNCHANGED_LISTS * LIST_SECONDS / HEARTBEAT_SECONDS)
CONTAINERS = 4


async def main(server_url: str, tokens: list[str]) -> None:
    url = f"ws{server_url.removeprefix('http')}/api/agent/connect"
    gate = asyncio.Semaphore(AT_ONCE)
    connected: asyncio.Queue[None] = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        for number, token in enumerate(tokens):
            group.create_task(_live(url, token, number, gate, connected))
        for _ in tokens:
            await connected.get()
        print(f"connected {len(tokens)}", flush=True)


async def _live(url: str, token: str, number: int, gate: asyncio.Semaphore, connected: asyncio.Queue[None]) -> None:
    async with gate:
        socket = await connect(
            url, additional_headers={"Authorization": f"Bearer {token}"}, compression=None, ping_interval=None
        )
        await socket.send(encode(_hello(number)))
        welcome = decode(await socket.recv())
        assert isinstance(welcome, Welcome), welcome
        await socket.send(encode(_inventory(number, welcome.epoch)))
        connected.put_nowait(None)
    # Real agents don't start together; these tell their lists spread over the time.
    beats = number
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                message = decode(await socket.recv())
        except TimeoutError:
            await socket.send(encode(Ping(nonce=1, sent_at=0.0)))
            beats += 1
            if beats % BEATS_AN_INVENTORY == 0:
                await socket.send(encode(_inventory(number, welcome.epoch)))
            continue
        if isinstance(message, Ping):
            await socket.send(encode(Pong(nonce=message.nonce, sent_at=message.sent_at)))


def _inventory(number: int, epoch: int) -> Inventory:
    items = tuple(
        InventoryItem(
            container_id=f"{number}-{place}",
            name=f"mp-worker-{number}-{place}",
            kind="worker",
            id=f"wkr_{number:020}{place:06}",
            generation=1,
            docker_state="running",
        )
        for place in range(CONTAINERS)
    )
    engine = EngineReport(name="docker", version="0")
    return Inventory(epoch=epoch, sampled_at=datetime.now(UTC), engine=engine, items=items)


def _hello(number: int) -> Hello:
    return Hello(
        agent_version="0",
        instance_id=f"swarm-{number}",
        boot_id="swarm",
        capabilities=("kind:worker",),
        engine=EngineReport(name="docker", version="0"),
        resources=Resources(cpu_millis=1000, memory_bytes=2**30, max_worker_cpu_millis=1000),
    )


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.stdin.read().split()))
