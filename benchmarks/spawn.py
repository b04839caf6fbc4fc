"""Cold spawns: POST to `ready`, against the raw engine doing the same steps: own bridge, create, start."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import aiodocker
import aiohttp
import httpx
from tests.fixtures.scripts import answer_of

from benchmarks.figures import Row, median, spread
from benchmarks.stack import BUSYBOX, Server, agent, organization, server
from spunto.adapters.runtimes.translate import docker_container, docker_network
from spunto.core.executor.runtime import ContainerSpec, Mount, Network

ROUNDS = 12
CONCURRENT = 8
BATCHES = 6
LOOK_SECONDS = 0.025
CPU_MILLIS = 50
MEMORY_BYTES = 32 * 1024**2


def measure() -> list[Row]:
    answer_of("images", "docker")
    with server() as running, agent(running):
        with httpx.Client(headers=running.headers) as client:
            workers = _new_project(client, running)
        return asyncio.run(_measure(running, workers))


def _new_project(client: httpx.Client, running: Server) -> str:
    """The URL of its workers."""
    projects = f"{running.url}/api/orgs/{organization(client, running)}/projects"
    body = {"name": "bench", "image": BUSYBOX, "cpus": CPU_MILLIS / 1000, "memoryBytes": MEMORY_BYTES}
    return f"{projects}/{client.post(projects, json=body).raise_for_status().json()['id']}/workers"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ours:
    """The API of a project, for spawning and destroying. One observer looks at all of its workers in one request,
    so that watching does not take the processor from what is watched, with the client that the raw side has too."""

    client: aiohttp.ClientSession
    workers: str

    async def spawn(self, count: int) -> list[str]:
        async with asyncio.TaskGroup() as group:
            posting = [group.create_task(self.post()) for _ in range(count)]
        made = [task.result() for task in posting]
        await self.until_ready(made)
        return made

    async def until_ready(self, made: Sequence[str]) -> None:
        while not all(await self._are_ready(made)):
            await asyncio.sleep(LOOK_SECONDS)

    async def destroy(self, made: Sequence[str]) -> None:
        for worker_id in made:
            async with self.client.delete(f"{self.workers}/{worker_id}") as response:
                response.raise_for_status()
        while await self._states():
            await asyncio.sleep(LOOK_SECONDS)

    async def post(self) -> str:
        async with self.client.post(self.workers, json={}) as response:
            return str((await response.json())["id"])

    async def ready_since(self, worker_id: str) -> datetime:
        async with self.client.get(f"{self.workers}/{worker_id}?explain=true") as response:
            return datetime.fromisoformat((await response.json())["explanation"]["since"])

    async def _states(self) -> dict[str, str]:
        async with self.client.get(self.workers) as response:
            return {worker["id"]: worker["state"] for worker in (await response.json())["items"]}

    async def _are_ready(self, made: Sequence[str]) -> list[bool]:
        states = await self._states()
        assert all(states[worker_id] in ("spawning", "ready") for worker_id in made), states
        return [states[worker_id] == "ready" for worker_id in made]


@dataclass(slots=True, kw_only=True)
class _Raw:
    """The engine's own API, for the same steps with the same bodies."""

    docker: aiodocker.Docker
    subnets: int = 0

    async def spawn(self, count: int) -> list[str]:
        return await asyncio.gather(*(self._spawn() for _ in range(count)))

    async def destroy(self, made: Sequence[str]) -> None:
        await asyncio.gather(*(self._destroy(each) for each in made))

    async def _spawn(self) -> str:
        name = f"bench-{uuid.uuid4().hex[:12]}"
        self.subnets += 1
        subnet = f"10.214.{self.subnets // 16}.{self.subnets % 16 * 16}/28"
        await self.docker.networks.create(docker_network(Network(name=name, subnet=subnet, labels={"bench": "1"})))
        spec = ContainerSpec(
            name=name,
            image=BUSYBOX,
            network=name,
            hostname=name,
            labels={"bench": "1"},
            mounts=(Mount(volume=name, path="/workspace"),),
            cpu_millis=CPU_MILLIS,
            memory_bytes=MEMORY_BYTES,
            pids=1024,
        )
        container = await self.docker.containers.create(docker_container(spec, nofile=4096), name=name)
        await container.start()
        return name

    async def _destroy(self, name: str) -> None:
        await self.docker.containers.container(name).delete(force=True, v=True)
        await (await self.docker.networks.get(name)).delete()
        volume = aiodocker.docker.DockerVolume(self.docker, name)  # type: ignore[no-untyped-call]  # as aiodocker has it
        await volume.delete()  # type: ignore[no-untyped-call]  # likewise


async def _measure(running: Server, workers: str) -> list[Row]:
    docker = aiodocker.Docker(answer_of("engine", "docker"))
    async with aiohttp.ClientSession(headers=running.headers) as session:
        ours = _Ours(client=session, workers=workers)
        raw = _Raw(docker=docker)
        try:
            return [await _one_by_one(ours, raw), await _stages(ours, docker), await _at_once(ours, raw)]
        finally:
            await docker.close()


async def _one_by_one(ours: _Ours, raw: _Raw) -> Row:
    mine: list[float] = []
    theirs: list[float] = []
    for round_number in range(ROUNDS + 1):
        for side, samples in ((ours, mine), (raw, theirs)):
            started = time.perf_counter()
            made = await side.spawn(1)
            if round_number > 0:
                samples.append(time.perf_counter() - started)
            await side.destroy(made)
    return Row(
        name="cold spawn against the raw engine, same steps",
        figure=median(mine) / median(theirs),
        unit="×",
        goal=1.15,
        better="lower",
        detail=f"ours {spread(mine)}; raw {spread(theirs)}",
    )


async def _stages(ours: _Ours, docker: aiodocker.Docker) -> Row:
    """Where the time of a spawn goes, by the clocks of client, engine and server, which are one."""
    stages: dict[str, list[float]] = {}
    totals: list[float] = []
    for _ in range(ROUNDS):
        asked = datetime.now(UTC)
        worker_id = await ours.post()
        answered = datetime.now(UTC)
        await ours.until_ready([worker_id])
        seen = datetime.now(UTC)
        container = await docker.containers.get(f"mp-worker-{worker_id.partition('_')[2]}")
        moments = {
            "POST": answered,
            "network": datetime.fromisoformat(container["Created"]),
            "create and start": datetime.fromisoformat(container["State"]["StartedAt"]),
            "report": await ours.ready_since(worker_id),
            "look": seen,
        }
        begun = asked
        for stage, ended in moments.items():
            stages.setdefault(stage, []).append((ended - begun).total_seconds())
            begun = ended
        totals.append((seen - asked).total_seconds())
        await ours.destroy([worker_id])
    told = ", ".join(f"{stage} {median(seconds) * 1000:.0f}" for stage, seconds in stages.items())
    return Row(
        name="cold spawn, from POST to seen as ready",
        figure=median(totals) * 1000,
        unit="ms",
        goal=None,
        better="lower",
        detail=f"of it, in ms: {told}; looked at each {LOOK_SECONDS * 1000:.0f} ms",
    )


async def _at_once(ours: _Ours, raw: _Raw) -> Row:
    rates: dict[str, list[float]] = {"ours": [], "raw": []}
    for _ in range(BATCHES):
        for name, side in (("ours", ours), ("raw", raw)):
            started = time.perf_counter()
            made = await side.spawn(CONCURRENT)
            rates[name].append(CONCURRENT / (time.perf_counter() - started))
            await side.destroy(made)
    return Row(
        name=f"{CONCURRENT} spawns at once against the raw engine",
        figure=median(rates["ours"]) / median(rates["raw"]),
        unit="×",
        goal=0.9,
        better="higher",
        detail=f"ours {median(rates['ours']):.2f}/s; raw {median(rates['raw']):.2f}/s; {BATCHES} batches each",
    )
