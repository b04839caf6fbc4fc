"""A server process whose events are followed: its people, and what is written into its database beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from tests.fixtures.postgres import fresh_database
from tests.fixtures.processes import Server, ended, server_of

from spunto.adapters.sql.store import SqlStore, SqlTransaction
from spunto.client.client import SpuntoClient
from spunto.core.access.model import Actor, ActorKind, OrgId, Tenant, UserId
from spunto.core.access.policy import Action, Role
from spunto.core.access.sessions import new_session
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.ids import TimeOrderedIds
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.orgs.model import Membership, User

CLOCK = SystemClock()
IDS = TimeOrderedIds(CLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """`other` is a second server over the same database where that may be, and the same server where it may not."""

    server: Server
    other: Server
    database: str
    org_id: OrgId

    def client(self, token: str | None = None, *, of: Server | None = None) -> SpuntoClient:
        return SpuntoClient((of or self.server).url, token or self.server.owner_token)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[SqlTransaction]:
        """Into the database, without a word to the servers."""
        store = await SqlStore.open(self.database, Wakeups(CLOCK))
        try:
            async with store() as tx:
                yield tx
                await tx.commit()
        finally:
            await store.aclose()

    async def person(self, name: str) -> tuple[UserId, str]:
        """A member of the organization, with the token of a session."""
        user = User(id=UserId(IDS.new("usr")), name=name, email=f"{name}@example.org", created_at=CLOCK.now())
        opened = new_session(user.id, now=CLOCK.now(), ids=IDS)
        joined = Membership(org_id=self.org_id, user_id=user.id, role=Role.MEMBER, joined_at=CLOCK.now())
        async with self.writing() as tx:
            await tx.members.add_user(user)
            await tx.members.add(joined)
            await tx.sessions.add(opened.session)
        return user.id, opened.token.reveal()

    async def fill(self, *, count: int, size_bytes: int) -> None:
        """Write events, and entries of the audit log, of that size."""
        actor = Actor(kind=ActorKind.SYSTEM, credential_id="test", roles={self.org_id: Role.OWNER})
        tenant, auditor = Tenant(org_id=self.org_id, role=Role.OWNER, actor=actor), Auditor(clock=CLOCK, ids=IDS)
        async with self.writing() as tx:
            for _ in range(count):
                await auditor.record(tx, tenant, Action.NODE_DRAIN, "nod_x", padding="x" * size_bytes)

    @asynccontextmanager
    async def stream(self, token: str, *, after: int | None = None) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of the raw stream, once it has begun."""
        headers = {"Authorization": f"Bearer {token}"} | ({} if after is None else {"Last-Event-ID": str(after)})
        path = f"/api/orgs/{self.org_id}/events"
        async with (
            httpx.AsyncClient(base_url=self.server.url, timeout=30) as client,
            client.stream("GET", path, headers=headers) as answer,
        ):
            assert answer.status_code == 200
            lines = answer.aiter_lines()
            assert await anext(lines) == "retry: 1000"
            yield lines


@asynccontextmanager
async def running_feed(directory: Path, *, postgres_url: str | None, **settings: str) -> AsyncIterator[Feed]:
    """On SQLite one server, on Postgres two."""
    if postgres_url is None:
        server = server_of(directory / "one", environment=settings)
        async with _opened([server], f"sqlite+aiosqlite:///{server.data_dir / 'spunto.db'}") as feed:
            yield feed
        return
    async with fresh_database(postgres_url) as url:
        server = server_of(directory / "one", database_url=url, environment=settings)
        shared = {**settings, "SPUNTO_KEYRING": str(server.data_dir / "keyring")}
        other = server_of(directory / "two", database_url=url, box=False, environment=shared)
        async with _opened([server, other], url) as feed:
            yield feed


@asynccontextmanager
async def _opened(servers: list[Server], database: str) -> AsyncIterator[Feed]:
    with ended(servers):
        for server in servers:
            server.start()
            server.wait_ready()
        async with SpuntoClient(servers[0].url, servers[0].owner_token) as client:
            org_id = OrgId((await client.identity()).organizations[0].id)
        yield Feed(server=servers[0], other=servers[-1], database=database, org_id=org_id)
