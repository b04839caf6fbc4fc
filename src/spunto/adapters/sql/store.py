"""The storage ports on SQLite and Postgres: the unit of work over one database."""

import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

from sqlalchemy import URL, bindparam, select, update

from spunto.adapters.sql.access import SqlGrantRepository, SqlSessionRepository
from spunto.adapters.sql.activity import SqlAuditLog
from spunto.adapters.sql.api_keys import SqlApiKeyRepository
from spunto.adapters.sql.assignments import SqlAssignmentRepository
from spunto.adapters.sql.census import SqlCensus
from spunto.adapters.sql.deliveries import SqlDeliveryRepository
from spunto.adapters.sql.destroyed import SqlDestroyedWorkerRepository
from spunto.adapters.sql.devices import SqlDeviceRepository
from spunto.adapters.sql.edges import SqlEdgeRepository
from spunto.adapters.sql.entry import SqlEntryCodeRepository, SqlPortLinkRepository
from spunto.adapters.sql.events import SqlEventFeed
from spunto.adapters.sql.idempotency import SqlIdempotencyRepository
from spunto.adapters.sql.identities import SqlIdentityRepository
from spunto.adapters.sql.invitations import SqlInvitationRepository
from spunto.adapters.sql.migrate import require_current
from spunto.adapters.sql.nodes import SqlNodeRepository
from spunto.adapters.sql.opened import Opened
from spunto.adapters.sql.orgs import SqlMemberRepository, SqlOrganizationRepository
from spunto.adapters.sql.postgres import CONNECTIONS, PostgresDatabase
from spunto.adapters.sql.projects import SqlProjectRepository
from spunto.adapters.sql.queue import SqlQueue, SqlSchedule
from spunto.adapters.sql.replicas import SqlReplicaRepository
from spunto.adapters.sql.routes import SqlRouteRepository
from spunto.adapters.sql.secrets import SqlCanaryRepository, SqlSecretRepository
from spunto.adapters.sql.sqlite import SqliteDatabase
from spunto.adapters.sql.ssh_keys import SqlSshKeyRepository
from spunto.adapters.sql.statements import Statements
from spunto.adapters.sql.tables.kernel import timelines
from spunto.adapters.sql.urls import is_sqlite, parsed
from spunto.adapters.sql.watched import UNWATCHED, Database, Watch, watched
from spunto.adapters.sql.webhooks import SqlWebhookRepository, SqlWebhookSecretRepository
from spunto.adapters.sql.workers import KnownWorkers, SqlWorkerRepository
from spunto.core.kernel.wakeups import Wakeups

R = TypeVar("R")
_TIMELINE = select(timelines.c.id)
_NEW_TIMELINE = update(timelines).values(id=bindparam("new_id"))
_SAME_TIMELINE = update(timelines).values(id=timelines.c.id)


class _Repository(Generic[R]):
    """Made when it is first asked for: a transaction needs two or three of them."""

    def __init__(self, make: Callable[[Statements], R]) -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, transaction: "SqlTransaction", owner: type) -> R:
        made = transaction.__dict__[self._name] = self._make(transaction.statements)
        return made


class SqlTransaction:
    """Satisfies the transaction protocol of every slice."""

    sessions = _Repository(SqlSessionRepository)
    api_keys = _Repository(SqlApiKeyRepository)
    grants = _Repository(SqlGrantRepository)
    organizations = _Repository(SqlOrganizationRepository)
    members = _Repository(SqlMemberRepository)
    ssh_keys = _Repository(SqlSshKeyRepository)
    secrets = _Repository(SqlSecretRepository)
    canary = _Repository(SqlCanaryRepository)
    devices = _Repository(SqlDeviceRepository)
    identities = _Repository(SqlIdentityRepository)
    invitations = _Repository(SqlInvitationRepository)
    webhooks = _Repository(SqlWebhookRepository)
    webhook_secrets = _Repository(SqlWebhookSecretRepository)
    deliveries = _Repository(SqlDeliveryRepository)
    nodes = _Repository(SqlNodeRepository)
    assignments = _Repository(SqlAssignmentRepository)
    replicas = _Repository(SqlReplicaRepository)
    destroyed = _Repository(SqlDestroyedWorkerRepository)
    audit = _Repository(SqlAuditLog)
    census = _Repository(SqlCensus)
    idempotency = _Repository(SqlIdempotencyRepository)
    projects = _Repository(SqlProjectRepository)
    routes = _Repository(SqlRouteRepository)
    edges = _Repository(SqlEdgeRepository)
    entry_codes = _Repository(SqlEntryCodeRepository)
    links = _Repository(SqlPortLinkRepository)

    def __init__(self, statements: Statements, wakeups: Wakeups, known: KnownWorkers) -> None:
        self.statements = statements
        self._wakeups = wakeups
        self._hints: dict[str, None] = {}
        self.workers = SqlWorkerRepository(statements, known)
        self.events = SqlEventFeed(statements, self.hint)
        self.due = SqlSchedule(statements, self.hint)

    @property
    def known_projects(self) -> SqlProjectRepository:
        return self.projects

    async def commit(self) -> None:
        await self.due.flush()
        await self.events.flush()
        await self.statements.commit()
        for topic in self._hints:
            self._wakeups.hint(topic)
        self._hints.clear()

    def hint(self, topic: str) -> None:
        self._hints[topic] = None


class SqlStore:
    """Made by `open`; whoever opened it closes it."""

    def __init__(self, database: Database, wakeups: Wakeups) -> None:
        self._database = database
        self._wakeups = wakeups
        self._known = KnownWorkers()
        self.queue = SqlQueue(writing=database.writing, reading=database.reading)

    @classmethod
    async def open(
        cls,
        url: str,
        wakeups: Wakeups,
        *,
        pool_size: int = CONNECTIONS,
        watch: Watch = UNWATCHED,
    ) -> "SqlStore":
        """Raises Unavailable `database_revision` unless the database has the tables that this version knows."""
        database = _database_at(parsed(url), pool_size)
        try:
            async with database.reading() as statements:
                await require_current(statements)
        except BaseException:
            await database.aclose()
            raise
        return cls(watched(database, watch), wakeups)

    async def aclose(self) -> None:
        await self._database.aclose()

    def __call__(self) -> AbstractAsyncContextManager[SqlTransaction]:
        return self._transaction(self._database.writing(), KnownWorkers())

    def reading(self) -> AbstractAsyncContextManager[SqlTransaction]:
        return self._transaction(self._database.reading(), self._known)

    def _transaction(
        self, opening: AbstractAsyncContextManager[Statements], known: KnownWorkers
    ) -> AbstractAsyncContextManager[SqlTransaction]:
        return Opened(opening, lambda statements: SqlTransaction(statements, self._wakeups, known))

    async def timeline_id(self) -> str:
        """Names this database's history; agents notice by it that a backup was restored."""
        async with self._database.reading() as statements:
            rows = await statements.all(_TIMELINE, {})
        return str(rows[0][0])

    async def begin_timeline(self) -> str:
        """Give the database's history a new name, because it goes on from an older copy."""
        new_id = secrets.token_hex(16)
        async with self._database.writing() as statements:
            await statements.change(_NEW_TIMELINE, {"new_id": new_id})
            await statements.commit()
        return new_id

    async def require_writable(self) -> None:
        """Write a row as it is. Raises Unavailable where the database takes no changes."""
        async with self._database.writing() as statements:
            await statements.change(_SAME_TIMELINE, {})
            await statements.commit()


def _database_at(url: URL, pool_size: int) -> Database:
    return SqliteDatabase(url) if is_sqlite(url) else PostgresDatabase(url, pool_size=pool_size)
