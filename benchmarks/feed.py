"""What the event feed costs: projects made with it, against the same without it, by turns in one run."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from benchmarks.durable import durable_postgres
from benchmarks.figures import Row
from spunto.adapters.sql.migrate import upgrade
from spunto.adapters.sql.store import SqlStore, SqlTransaction
from spunto.core.access.model import Actor, ActorKind, OrgId, UserId
from spunto.core.access.policy import Role
from spunto.core.activity.events import Event
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.ids import TimeOrderedIds
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.orgs.model import Organization
from spunto.core.projects.model import Environment
from spunto.core.projects.service import ProjectService

ROUNDS = 80
PROJECTS = 40
CONCURRENT = 8
# With one organization, Postgres has each creation wait for the commit before it: numbers are given in their order.
ORGANIZATIONS = (8, 1)
GOAL_PERCENT = 10.0


class NoFeed:
    """Where nothing that happens is written down."""

    async def add(self, event: Event) -> None:
        pass

    async def flush(self) -> None:
        pass


class Silenced:
    """The same store without its feed."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[SqlTransaction]:
        async with self._store() as tx:
            without: Any = NoFeed()
            tx.events = without
            yield tx

    def reading(self) -> AbstractAsyncContextManager[SqlTransaction]:
        return self._store.reading()


def measure() -> Sequence[Row]:
    with tempfile.TemporaryDirectory(prefix="spunto-bench-") as folder:
        rows = asyncio.run(_measured("SQLite", f"sqlite+aiosqlite:///{folder}/spunto.db"))
    with durable_postgres() as url:
        return rows + asyncio.run(_measured("Postgres", url))


async def _measured(database: str, url: str) -> list[Row]:
    await upgrade(url)
    clock = SystemClock()
    ids, store = TimeOrderedIds(clock), await SqlStore.open(url, Wakeups(clock))
    auditor = Auditor(clock=clock, ids=ids)
    sides = [ProjectService(uow, auditor=auditor, clock=clock, ids=ids) for uow in (store, Silenced(store))]
    try:
        return [
            _row(
                database,
                organizations,
                await _seconds(sides, [await _owner(store, ids, clock) for _ in range(organizations)]),
            )
            for organizations in ORGANIZATIONS
        ]
    finally:
        await store.aclose()


async def _seconds(sides: Sequence[ProjectService], owners: Sequence[Actor]) -> tuple[float, float]:
    """What a project takes on either side, at the median of the rounds."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(-1, ROUNDS):
        # Each side begins as often as the other.
        for side in (0, 1) if number % 2 else (1, 0):
            begun = time.perf_counter()
            await _make(sides[side], owners, f"{number}-{side}")
            if number >= 0:
                seconds[side].append(time.perf_counter() - begun)
    return statistics.median(seconds[0]) / PROJECTS, statistics.median(seconds[1]) / PROJECTS


def _row(database: str, organizations: int, seconds: tuple[float, float]) -> Row:
    with_it, without = seconds
    where = "one organization" if organizations == 1 else f"{organizations} organizations"
    return Row(
        name=f"event feed on {database}, {where}: share of a project's creation",
        figure=100 * (1 - without / with_it),
        unit="%",
        goal=GOAL_PERCENT,
        better="lower",
        detail=f"{1 / with_it:.0f} projects/s with it, {1 / without:.0f} without; {CONCURRENT} at a time, "
        f"{ROUNDS} rounds of {PROJECTS} each, by turns",
    )


async def _owner(store: SqlStore, ids: TimeOrderedIds, clock: SystemClock) -> Actor:
    org_id = OrgId(ids.new("org"))
    async with store() as tx:
        await tx.organizations.add(Organization(id=org_id, name="bench", slug=org_id, created_at=clock.now()))
        await tx.commit()
    roles = {org_id: Role.OWNER}
    return Actor(kind=ActorKind.USER, user_id=UserId(ids.new("usr")), credential_id="bench", roles=roles)


async def _make(projects: ProjectService, owners: Sequence[Actor], round_: str) -> None:
    numbers = iter(range(PROJECTS))

    async def work() -> None:
        for number in numbers:
            owner = owners[number % len(owners)]
            [org_id] = owner.roles
            await projects.create(owner, org_id, name=f"{round_}-{number}", environment=Environment(image="i"))

    await asyncio.gather(*(work() for _ in range(CONCURRENT)))
