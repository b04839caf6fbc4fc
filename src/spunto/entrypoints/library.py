"""Spunto as a library: the whole product without doors, on memory, SQLite or Postgres."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import structlog

from spunto.adapters.memory.store import MemoryStore
from spunto.core.access.model import Actor
from spunto.core.access.service import AccessService
from spunto.core.kernel.clock import Clock, SystemClock
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.nodes.gateway import NodeGateway
from spunto.core.nodes.links import NodeLinks
from spunto.core.nodes.service import NodeService
from spunto.core.orgs.members import MemberService
from spunto.core.orgs.model import Organization
from spunto.core.orgs.service import BootstrapService, OrganizationService, owner_of
from spunto.core.projects.service import ProjectService
from spunto.core.workers.reach import WorkerReach
from spunto.core.workers.service import WorkerService
from spunto.entrypoints.container import Container

log = structlog.get_logger()


class Spunto:
    """The services, ready to use, with the reconcile loops running; made by `in_memory`, `sqlite` or `postgres`.

    >>> async with Spunto.in_memory() as spunto:
    ...     owner, organization = await spunto.bootstrap()
    ...     project = await spunto.projects.create(owner, organization.id, name="hello", environment=environment)
    """

    def __init__(self, container: Container) -> None:
        self.access: AccessService = container.access()
        self.organizations: OrganizationService = container.organizations()
        self.members: MemberService = container.members()
        self.projects: ProjectService = container.projects()
        self.nodes: NodeService = container.nodes()
        self.workers: WorkerService = container.workers()
        self.reach: WorkerReach = container.reach()
        self.gateway: NodeGateway = container.gateway()
        self.links: NodeLinks = container.links()
        self.wakeups: Wakeups = container.wakeups()
        self._bootstrap: BootstrapService = container.bootstrap()
        self._store = container.store()

    async def bootstrap(self) -> tuple[Actor, Organization]:
        """The first owner and the organization `default`, made where they are not there yet."""
        user, organization = await self._bootstrap.ensure_owner()
        return owner_of(user, organization), organization

    async def check_database(self) -> None:
        """Raises Unavailable where the database does not answer."""
        async with self._store.reading() as tx:
            await tx.organizations.find_by_slug("")

    @classmethod
    @asynccontextmanager
    async def in_memory(cls, *, clock: Clock | None = None) -> AsyncIterator["Spunto"]:
        """Everything in this process; nothing is left when it ends."""
        clock = clock or SystemClock()
        wakeups = Wakeups(clock)
        store = MemoryStore(wakeups)
        async with cls._running(_container(store, wakeups, clock, timeline_id="memory")) as spunto:
            yield spunto

    @classmethod
    def sqlite(cls, path: Path | str) -> AbstractAsyncContextManager["Spunto"]:
        """On a SQLite file, made and migrated where needed. One process at a time."""
        return cls.on_database(f"sqlite+aiosqlite:///{Path(path).resolve()}")

    @classmethod
    def postgres(cls, url: str) -> AbstractAsyncContextManager["Spunto"]:
        """On a Postgres database, migrated where needed; `url` is SQLAlchemy's, `postgresql+asyncpg://…`."""
        return cls.on_database(url)

    @classmethod
    @asynccontextmanager
    async def on_database(cls, url: str, *, clock: Clock | None = None, pool_size: int = 20) -> AsyncIterator["Spunto"]:
        # SQLAlchemy takes half a second to import; the memory harness goes without.
        from spunto.adapters.sql.migrate import upgrade
        from spunto.adapters.sql.store import SqlStore

        clock = clock or SystemClock()
        wakeups = Wakeups(clock)
        await upgrade(url)
        store = await SqlStore.open(url, wakeups, pool_size=pool_size)
        try:
            timeline_id = await store.timeline_id()
            async with cls._running(_container(store, wakeups, clock, timeline_id=timeline_id)) as spunto:
                yield spunto
        finally:
            await store.aclose()

    @classmethod
    @asynccontextmanager
    async def beside_a_server(cls, url: str) -> AsyncIterator["Spunto"]:
        """For an errand on a database that a server may be running on: no reconcile loops, and no node is in reach.

        Raises Unavailable `database_revision` where the database is not up to date.
        """
        from spunto.adapters.sql.store import SqlStore

        clock = SystemClock()
        wakeups = Wakeups(clock)
        store = await SqlStore.open(url, wakeups, pool_size=1)
        try:
            yield cls(_container(store, wakeups, clock, timeline_id=await store.timeline_id()))
        finally:
            await store.aclose()

    @classmethod
    @asynccontextmanager
    async def _running(cls, container: Container) -> AsyncIterator["Spunto"]:
        store, clock = container.store(), container.clock()
        async with store() as tx:
            await tx.nodes.disconnect_all(at=clock.now())
            await tx.commit()
        async with asyncio.TaskGroup() as group:
            loop = group.create_task(container.worker_loop().run(), name="reconcile workers")
            try:
                yield cls(container)
            finally:
                loop.cancel()


def _container(store: object, wakeups: Wakeups, clock: Clock, *, timeline_id: str) -> Container:
    report: Callable[[str, str, BaseException], None] = _report
    return Container(
        store=store,
        queue=store.queue,  # type: ignore[attr-defined]  # both stores have it
        wakeups=wakeups,
        clock=clock,
        timeline_id=timeline_id,
        report=report,
    )


def _report(kind: str, subject_id: str, error: BaseException) -> None:
    log.warning("reconcile_failed", kind=kind, subject=subject_id, exc_info=error)
