"""Three servers behind a balancer, two hundred agents and a load: servers are killed, then all restarted in turn."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tests.chaos.elsewhere import slower_by_ms
from tests.chaos.fleet import Member
from tests.chaos.journal import Journal
from tests.chaos.report import Line
from tests.fixtures.balancer import running_balancer
from tests.fixtures.processes import START_SECONDS, Server
from tests.fixtures.replicas import Cluster, running_cluster
from tests.fixtures.waiting import NotInTime, eventually

from spunto.testing.node import DEFAULT_IMAGE

NAMES = ("a", "b", "c")
AGENTS = 200
KILLS = 3
ELSEWHERE_MS = 150
BACK_SECONDS = 5.0
SETTLE_SECONDS = 60.0
LIVES_AT_ONCE = 4
_PATIENCE_SECONDS = 40.0
_AGAIN_SECONDS = 0.2


@dataclass(slots=True, kw_only=True)
class Tally:
    """`wanted` is the oracle: what was acknowledged last for each worker."""

    wanted: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    acknowledged: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    back_seconds: list[float] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True, kw_only=True)
class Town:
    cluster: Cluster
    client: httpx.AsyncClient
    fleet: Sequence[Member]
    project: str
    chance: random.Random
    journal: Journal
    tally: Tally = field(default_factory=Tally)
    holder_ms: float = 0.0
    elsewhere_ms: float = 0.0
    phase: str = "killing"
    killed: str = ""

    async def live(self, number: int) -> None:
        """A worker's life: spawned, then perhaps stopped or destroyed, each asked until it is acknowledged."""
        key = f"life-{number}"
        made = await self._insist("POST", f"{self.project}/workers", key)
        if made is None:
            return
        worker_id = made["id"]
        if self.tally.keys.setdefault(key, worker_id) != worker_id:
            self.tally.figures["doubled"] += 1
        self.tally.wanted[worker_id] = "ready"
        await asyncio.sleep(self.chance.random())
        ask = self.chance.choice(("", "", "stop", "destroy"))
        worker = f"{self.project}/workers/{worker_id}"
        if ask == "stop" and await self._insist("POST", f"{worker}/stop", None) is not None:
            self.tally.wanted[worker_id] = "stopped"
        if ask == "destroy" and await self._insist("DELETE", worker, None) is not None:
            self.tally.wanted[worker_id] = "gone"

    async def _insist(self, method: str, path: str, key: str | None) -> dict[str, Any] | None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        headers = {} if key is None else {"Idempotency-Key": key}
        content: Any = {} if method == "POST" and key else None
        while time.monotonic() < deadline:
            try:
                answer = await self.client.request(method, path, headers=headers, json=content)
            except httpx.TransportError as error:
                self.tally.answers[f"{self.phase}: {type(error).__name__}"] += 1
                # A server that is killed breaks what it was at; one that is stopped has no reason to.
                self.tally.figures["broken_by_a_restart"] += self.phase == "restarting"
                self.journal.note("broken", phase=self.phase, path=path, error=repr(error))
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            self.tally.answers[f"{self.phase}: {answer.status_code}"] += 1
            if answer.is_success:
                self.tally.acknowledged[f"{method} {path.rpartition('/')[2][:7]}"] += 1
                return dict(answer.json()) if answer.content else {}
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                self.tally.figures["answers_that_are_neither_2xx_nor_503"] += 1
                self.journal.note("wrong_answer", path=path, status=answer.status_code, body=answer.text[:300])
            await asyncio.sleep(_AGAIN_SECONDS)
        self.tally.figures["never_answered"] += 1
        return None

    async def kill_one(self) -> None:
        """SIGKILL, and how long each of its agents was away. The others must not have noticed."""
        # One that was restarted a moment ago has no agents yet.
        name = self.killed = self.chance.choice([each for each in NAMES if each != self.killed])
        server = self.cluster.servers[name]
        others = [member for member in self.fleet if member.is_connected]
        killed_at = time.monotonic()
        await asyncio.to_thread(server.kill)
        self.journal.note("killed", server=name)

        async def all_back() -> bool:
            return all(member.is_connected for member in self.fleet) and any(
                (member.lost_at or 0.0) >= killed_at for member in self.fleet
            )

        try:
            await eventually(all_back, seconds=SETTLE_SECONDS, what="every agent is back")
        except NotInTime:
            codes = [member.close_codes for member in self.fleet if not member.is_connected]
            self.journal.note("not_back", codes=codes)
            raise
        away = [member for member in others if (member.lost_at or 0.0) >= killed_at]
        self.tally.back_seconds += [(member.connected_at or 0.0) - killed_at for member in away]
        await start(server)

    async def restart_all(self) -> None:
        """SIGTERM to one after the other, each back before the next."""
        self.phase = "restarting"
        for name, server in self.cluster.servers.items():
            code = await asyncio.to_thread(server.stop)
            self.journal.note("restarted", server=name, exit_code=code)
            self.tally.figures["exits_with_another_code_than_0"] += code != 0
            await start(server)

    async def settled(self) -> list[str]:
        """What is not as it was acknowledged, as any one of the servers tells it, once it had its time."""
        wrong: list[str] = []

        async def is_clean() -> bool:
            wrong[:] = await self._wrong()
            return not wrong

        try:
            await eventually(is_clean, seconds=SETTLE_SECONDS, what="quiescence")
        except NotInTime:
            self.journal.note("unsettled", wrong=wrong[:50])
        return wrong

    async def _wrong(self) -> list[str]:
        standing = {name for member in self.fleet for name in running_on(member)}
        wrong: list[str] = []
        for server in self.cluster.servers.values():
            seen = await self._states(server)
            for worker_id, wanted in self.tally.wanted.items():
                if (state := seen.get(worker_id, "gone")) != wanted:
                    wrong.append(f"{worker_id} is {state} at {server.name}, not {wanted}")
            wrong += [f"{each} was never acknowledged" for each in seen.keys() - self.tally.wanted.keys()]
        runs = sum(wanted == "ready" for wanted in self.tally.wanted.values())
        if len(standing) != runs:
            wrong.append(f"{len(standing)} containers run, not {runs}")
        return wrong

    async def _states(self, server: Server) -> dict[str, str]:
        states: dict[str, str] = {}
        cursor: str | None = ""
        while cursor is not None:
            query = {"limit": "100", **({"cursor": cursor} if cursor else {})}
            page = (await self.client.get(f"{server.url}{self.project}/workers", params=query)).json()
            for worker in page["items"]:
                shown = worker["state"]
                # The engine's word is the truth that a server has to have from wherever the node's socket is.
                states[worker["id"]] = shown if shown != "ready" or worker["dockerState"] == "running" else "unknown"
            cursor = page.get("nextCursor")
        return states


def running_on(member: Member) -> list[str]:
    return [each.name for each in member.machine.standing() if each.state.value == "running"]


async def start(server: Server) -> None:
    server.start()

    async def ready() -> bool:
        return await asyncio.to_thread(lambda: server.is_ready)

    await eventually(ready, seconds=START_SECONDS, what=f"{server.name} is ready")


@asynccontextmanager
async def a_town(out: Path, database_url: str, *, seed: int, agents: int) -> AsyncIterator[Town]:
    journal = Journal(out / "journal.ndjson")
    environment = {"SPUNTO_DATABASE_POOL_SIZE": "8"}
    with (
        running_cluster(out, database_url, *NAMES, environment=environment) as cluster,
        running_balancer(cluster.urls, spreads=True) as balancer,
    ):
        bearer = {"Authorization": f"Bearer {cluster.owner_token}"}
        # A connection that is kept may be closed just when it is used again, which no server can help.
        limits = httpx.Limits(max_keepalive_connections=0)
        async with (
            httpx.AsyncClient(base_url=balancer.url, headers=bearer, timeout=20, limits=limits) as client,
            asyncio.TaskGroup() as group,
        ):
            org = f"/api/orgs/{(await client.get('/api/orgs')).json()['items'][0]['id']}"
            environment_of = {"name": "one", "image": DEFAULT_IMAGE, "cpus": 0.05}
            made = (await client.post(f"{org}/projects", json=environment_of)).raise_for_status().json()
            fleet = [await enrolled(client, org, number) for number in range(agents)]
            tasks = [group.create_task(member.run(balancer.url)) for member in fleet]
            town = Town(
                cluster=cluster,
                client=client,
                fleet=fleet,
                project=f"{org}/projects/{made['id']}",
                chance=random.Random(seed),
                journal=journal,
            )

            async def all_there() -> bool:
                return all(member.is_connected for member in fleet)

            try:
                await eventually(all_there, seconds=SETTLE_SECONDS, what="every agent is connected")
                yield town
            finally:
                for task in tasks:
                    task.cancel()
                for member in fleet:
                    await member.machine.aclose()
    journal.close()


async def enrolled(client: httpx.AsyncClient, org: str, number: int) -> Member:
    made = (await client.post(f"{org}/nodes", json={"name": f"fleet-{number}"})).raise_for_status().json()
    return Member(node_id=made["node"]["id"], token=made["token"])


async def replicas_line(out: Path, database_url: str, *, seed: int, agents: int = AGENTS, kills: int = KILLS) -> Line:
    """Everything of it; `out` gets the journal and the servers' logs."""
    begun = time.monotonic()
    async with a_town(out, database_url, seed=seed, agents=agents) as town:
        servers = list(town.cluster.servers.values())
        town.holder_ms, town.elsewhere_ms = await slower_by_ms(servers, town.client, town.project, town.fleet[0])
        async with asyncio.TaskGroup() as group:
            living = group.create_task(keep_living(town))
            for _ in range(kills):
                await town.kill_one()
            await town.restart_all()
            living.cancel()
        wrong = await town.settled()
        return line_of(town, wrong, time.monotonic() - begun)


async def keep_living(town: Town) -> None:
    """A load until cancelled; what has begun by then is asked to its end."""
    number = 0
    async with asyncio.TaskGroup() as lives:
        slots = asyncio.Semaphore(LIVES_AT_ONCE)
        try:
            while True:
                await slots.acquire()
                number += 1
                lives.create_task(town.live(number)).add_done_callback(lambda _: slots.release())
        except asyncio.CancelledError:
            return


def line_of(town: Town, wrong: Sequence[str], seconds: float) -> Line:
    tally = town.tally
    back = sorted(tally.back_seconds)
    p99 = back[min(len(back) - 1, int(len(back) * 0.99))]
    names = (
        "answers_that_are_neither_2xx_nor_503",
        "never_answered",
        "doubled",
        "broken_by_a_restart",
        "exits_with_another_code_than_0",
    )
    figures = {
        **{name: tally.figures[name] for name in names},
        "not_as_acknowledged": len(wrong),
        "p99_of_coming_back_over_5_s": int(p99 > BACK_SECONDS),
        "spawns_elsewhere_slower_by_150_ms": int(town.elsewhere_ms > ELSEWHERE_MS),
    }
    answers = ", ".join(f"{count} {name}" for name, count in sorted(tally.answers.items()))
    note = (
        f"a spawn takes {town.holder_ms:.0f} ms at the holder and {town.elsewhere_ms:.0f} ms more elsewhere; "
        f"servers killed: {len(back)} agents back, p50 {back[len(back) // 2]:.2f} s, p99 {p99:.2f} s, "
        f"worst {back[-1]:.2f} s; all {len(NAMES)} restarted; {len(tally.wanted)} workers; {answers}"
    )
    return Line(name="replicas", seconds=seconds, note=note, figures=figures, failed=any(figures.values()))
