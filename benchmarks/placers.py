"""One of several server processes that place at once. A plan comes on standard input; says `ready`, waits for a line,
places, and says what became of it. See `placement`."""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from spunto.core.access.model import Actor, ActorKind, OrgId, UserId
from spunto.core.access.policy import Role
from spunto.core.kernel.errors import Conflict
from spunto.core.nodes.model import Demand, NodeId
from spunto.core.nodes.sync import topic as node_topic
from spunto.core.projects.model import ProjectId
from spunto.entrypoints.library import Spunto

CONCURRENT = 16
DEMAND = Demand(cpu_millis=10, memory_bytes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """An organization with its owner, and a project and nodes where they are needed."""

    org_id: str
    user_id: str
    project_id: str = ""
    node_ids: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`whole` places by whole spawns, in the homes by turns; without, it chooses and reserves alone, in the first."""

    url: str
    keyring: str
    homes: list[Home]
    attempts: int
    watchers: int
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`seconds` run from the signal to the last placement; `told` counts what the watchers were woken for."""

    placed: int
    refused: int
    seconds: float
    told: int


class Placers:
    def __init__(self, spunto: Spunto, plan: Plan) -> None:
        self._spunto = spunto
        self._store = spunto._store  # noqa: SLF001 - no use case reserves and does nothing else
        self._plan = plan
        self._left = plan.attempts
        self._placed = 0
        self._refused = 0
        self._told = 0
        self._last_at = 0.0

    async def run(self) -> Outcome:
        watching = [asyncio.create_task(self._watch(number)) for number in range(self._plan.watchers)]
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        started = time.perf_counter()
        await asyncio.gather(*(self._place() for _ in range(CONCURRENT)))
        for task in watching:
            task.cancel()
        return Outcome(placed=self._placed, refused=self._refused, seconds=self._last_at - started, told=self._told)

    async def _place(self) -> None:
        while self._left > 0:
            self._left -= 1
            home = self._plan.homes[self._left % len(self._plan.homes)]
            if await (self._spawn(home) if self._plan.whole else self._reserve(home)):
                self._placed += 1
                self._last_at = time.perf_counter()
            else:
                self._refused += 1

    async def _reserve(self, home: Home) -> bool:
        async with self._store() as tx:
            node_id = await tx.nodes.reserve_least_loaded(OrgId(home.org_id), DEMAND, among=None)
            if node_id is None:
                return False
            tx.hint(node_topic(node_id))
            await tx.commit()
        return True

    async def _spawn(self, home: Home) -> bool:
        try:
            await self._spunto.workers.spawn(_owner(home), OrgId(home.org_id), ProjectId(home.project_id))
        except Conflict as error:
            if error.code != "no_node_available":
                raise
            return False
        return True

    async def _watch(self, number: int) -> None:
        """What the door of a node's agent does at a hint: read anew what should stand there."""
        nodes = [node_id for home in self._plan.homes for node_id in home.node_ids]
        node_id = NodeId(nodes[number % len(nodes)])
        with self._spunto.wakeups.subscribe(node_topic(node_id)) as wakeup:
            while True:
                await wakeup.wait(max_seconds=60)
                async with self._store.reading() as tx:
                    await tx.assignments.of_node(node_id)
                self._told += 1


def _owner(home: Home) -> Actor:
    org_id = OrgId(home.org_id)
    user_id = UserId(home.user_id)
    return Actor(kind=ActorKind.USER, user_id=user_id, credential_id="bench", roles={org_id: Role.OWNER})


async def main() -> None:
    body = json.loads(sys.stdin.readline())
    plan = Plan(**{**body, "homes": [Home(**home) for home in body["homes"]]})
    async with Spunto.on_database(plan.url, keyring=Path(plan.keyring), pool_size=CONCURRENT) as spunto:
        outcome = await Placers(spunto, plan).run()
    print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
