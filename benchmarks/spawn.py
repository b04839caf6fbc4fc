"""Cold spawns: POST to `ready`, against the raw engine doing the same steps: own bridge, create, start."""

import asyncio
import time
import uuid
from dataclasses import dataclass

import aiodocker
import httpx
from tests.fixtures.scripts import answer_of

from benchmarks.figures import Row, median, spread
from benchmarks.stack import BUSYBOX, Server, agent, organization, server
from spunto.adapters.runtimes.translate import docker_container, docker_network
from spunto.core.nodes.runtime import ContainerSpec, Mount, Network

ROUNDS = 12
CONCURRENT = 8
BATCHES = 3
CPU_MILLIS = 50
MEMORY_BYTES = 32 * 1024**2


def measure() -> list[Row]:
    answer_of("images", "docker")
    with server() as running, agent(running):
        return asyncio.run(_measure(running))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ours:
    """The API of a project, for spawning and destroying."""

    client: httpx.AsyncClient
    workers: str

    async def spawn(self) -> str:
        answer = (await self.client.post(self.workers, json={})).raise_for_status().json()
        url = f"{self.workers}/{answer['id']}"
        while answer["state"] != "ready":
            assert answer["state"] == "spawning", answer
            await asyncio.sleep(0.01)
            answer = (await self.client.get(url)).raise_for_status().json()
        return url

    async def destroy(self, url: str) -> None:
        (await self.client.delete(url)).raise_for_status()
        while (await self.client.get(url)).status_code != httpx.codes.NOT_FOUND:
            await asyncio.sleep(0.05)


@dataclass(slots=True, kw_only=True)
class _Raw:
    """The engine's own API, for the same steps with the same bodies."""

    docker: aiodocker.Docker
    subnets: int = 0

    async def spawn(self) -> str:
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

    async def destroy(self, name: str) -> None:
        await self.docker.containers.container(name).delete(force=True, v=True)
        await (await self.docker.networks.get(name)).delete()
        volume = aiodocker.docker.DockerVolume(self.docker, name)  # type: ignore[no-untyped-call]  # as aiodocker has it
        await volume.delete()  # type: ignore[no-untyped-call]  # likewise


async def _measure(running: Server) -> list[Row]:
    docker = aiodocker.Docker(answer_of("engine", "docker"))
    async with httpx.AsyncClient(headers=running.headers, timeout=60) as client:
        with httpx.Client(headers=running.headers) as blocking:
            org_url = f"{running.url}/api/orgs/{organization(blocking, running)}"
        body = {"name": "bench", "image": BUSYBOX, "cpus": CPU_MILLIS / 1000, "memoryBytes": MEMORY_BYTES}
        project = (await client.post(f"{org_url}/projects", json=body)).raise_for_status().json()
        ours = _Ours(client=client, workers=f"{org_url}/projects/{project['id']}/workers")
        raw = _Raw(docker=docker)
        try:
            return [await _one_by_one(ours, raw), await _at_once(ours, raw)]
        finally:
            await docker.close()


async def _one_by_one(ours: _Ours, raw: _Raw) -> Row:
    mine: list[float] = []
    theirs: list[float] = []
    for round_number in range(ROUNDS + 1):
        for side, samples in ((ours, mine), (raw, theirs)):
            started = time.perf_counter()
            made = await side.spawn()
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


async def _at_once(ours: _Ours, raw: _Raw) -> Row:
    rates: dict[str, list[float]] = {"ours": [], "raw": []}
    for _ in range(BATCHES):
        for name, side in (("ours", ours), ("raw", raw)):
            started = time.perf_counter()
            made = await asyncio.gather(*(side.spawn() for _ in range(CONCURRENT)))
            rates[name].append(CONCURRENT / (time.perf_counter() - started))
            await asyncio.gather(*(side.destroy(each) for each in made))
    return Row(
        name=f"{CONCURRENT} spawns at once against the raw engine",
        figure=median(rates["ours"]) / median(rates["raw"]),
        unit="×",
        goal=0.9,
        better="higher",
        detail=f"ours {median(rates['ours']):.2f}/s; raw {median(rates['raw']):.2f}/s; {BATCHES} batches each",
    )
