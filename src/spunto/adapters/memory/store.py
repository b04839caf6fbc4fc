"""The storage ports in memory: transactions that roll back, and that conflict where a real database's would."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cached_property
from typing import Any

from spunto.adapters.memory.access import MemoryGrants, MemorySessions
from spunto.adapters.memory.activity import MemoryAuditLog, MemoryEventFeed
from spunto.adapters.memory.api_keys import MemoryApiKeys
from spunto.adapters.memory.census import MemoryCensus
from spunto.adapters.memory.destroyed import MemoryDestroyedWorkers
from spunto.adapters.memory.devices import MemoryDevices
from spunto.adapters.memory.entry import MemoryEntryCodes, MemoryPortLinks
from spunto.adapters.memory.invitations import MemoryInvitations
from spunto.adapters.memory.nodes import MemoryAssignments, MemoryNodes
from spunto.adapters.memory.orgs import MemoryIdempotency, MemoryIdentities, MemoryMembers, MemoryOrganizations
from spunto.adapters.memory.projects import MemoryProjects
from spunto.adapters.memory.queue import MemoryQueue, MemorySchedule
from spunto.adapters.memory.replicas import MemoryReplicas
from spunto.adapters.memory.routes import MemoryEdges, MemoryRoutes
from spunto.adapters.memory.rows import Table
from spunto.adapters.memory.secrets import MemoryCanary, MemorySecrets
from spunto.adapters.memory.ssh_keys import MemorySshKeys
from spunto.adapters.memory.tables import KINDS, Tables
from spunto.adapters.memory.webhooks import MemoryDeliveries, MemoryWebhooks, MemoryWebhookSecrets
from spunto.adapters.memory.workers import MemoryWorkers
from spunto.core.access.model import OrgId
from spunto.core.kernel.wakeups import Wakeups


class MemoryTransaction:
    """Satisfies the transaction protocol of every slice.

    A repository is made when it is asked for, because nearly all transactions look into one table or two.
    """

    def __init__(self, tables: Tables, queue: MemoryQueue, wakeups: Wakeups) -> None:
        self._tables = tables
        self._queue = queue
        self._wakeups = wakeups
        self._drafts: dict[str, Table[Any, Any]] = {}
        self._guards: list[Callable[[], None]] = []
        self._hints: dict[str, None] = {}
        self.events = MemoryEventFeed(tables.feeds, self.hint)
        self.due = MemorySchedule(self.hint)

    @cached_property
    def sessions(self) -> MemorySessions:
        return MemorySessions(self._draft("sessions"), self._draft("codes"))

    @cached_property
    def api_keys(self) -> MemoryApiKeys:
        return MemoryApiKeys(self._draft("api_keys"))

    @cached_property
    def grants(self) -> MemoryGrants:
        return MemoryGrants(self._draft("memberships"), self._draft("organizations"), self.sessions, self.api_keys)

    @cached_property
    def invitations(self) -> MemoryInvitations:
        return MemoryInvitations(self._draft("invitations"), self._draft("names"))

    @cached_property
    def webhooks(self) -> MemoryWebhooks:
        signing, deliveries = self._draft("webhook_secrets"), self._draft("deliveries")
        return MemoryWebhooks(self._draft("webhooks"), signing, deliveries, self._tables.feeds)

    @cached_property
    def webhook_secrets(self) -> MemoryWebhookSecrets:
        return MemoryWebhookSecrets(self._draft("webhook_secrets"))

    @cached_property
    def deliveries(self) -> MemoryDeliveries:
        return MemoryDeliveries(self._draft("deliveries"))

    @cached_property
    def secrets(self) -> MemorySecrets:
        return MemorySecrets(self._draft("secrets"), self._draft("names"))

    @cached_property
    def organizations(self) -> MemoryOrganizations:
        return MemoryOrganizations(
            self._draft("organizations"),
            self._draft("memberships"),
            self._draft("invitations"),
            self._draft("names"),
            {table: self._draft(table).values for table in ("nodes", "projects", "workers")},
            self._guards.append,
            self._remove_of,
        )

    @cached_property
    def devices(self) -> MemoryDevices:
        return MemoryDevices(self._draft("devices"))

    @cached_property
    def identities(self) -> MemoryIdentities:
        return MemoryIdentities(self._draft("identities"))

    @cached_property
    def ssh_keys(self) -> MemorySshKeys:
        return MemorySshKeys(self._draft("ssh_keys"), self._draft("names"))

    @cached_property
    def canary(self) -> MemoryCanary:
        return MemoryCanary(self._draft("canaries"))

    @cached_property
    def members(self) -> MemoryMembers:
        return MemoryMembers(self._draft("users"), self._draft("memberships"), self._draft("names"))

    @cached_property
    def nodes(self) -> MemoryNodes:
        return MemoryNodes(
            self._draft("nodes"),
            self._draft("loads"),
            self._draft("names"),
            self._draft("assignments"),
            self._draft("tombstones"),
            self._draft("leases"),
        )

    @cached_property
    def assignments(self) -> MemoryAssignments:
        return MemoryAssignments(self._draft("assignments"), self._draft("tombstones"), self._draft("nodes"))

    @cached_property
    def replicas(self) -> MemoryReplicas:
        return MemoryReplicas(self._draft("leases"))

    @cached_property
    def routes(self) -> MemoryRoutes:
        return MemoryRoutes(self._draft("routes"), self._draft("applied"))

    @cached_property
    def edges(self) -> MemoryEdges:
        return MemoryEdges(self._draft("edges"), self._draft("names"), self._draft("applied"))

    @cached_property
    def entry_codes(self) -> MemoryEntryCodes:
        return MemoryEntryCodes(self._draft("entry_codes"))

    @cached_property
    def links(self) -> MemoryPortLinks:
        return MemoryPortLinks(self._draft("links"))

    @cached_property
    def projects(self) -> MemoryProjects:
        return MemoryProjects(
            self._draft("projects"),
            self._draft("versions"),
            self._draft("indexes"),
            self._draft("names"),
            self._draft("workers"),
            self._guards.append,
        )

    @property
    def known_projects(self) -> MemoryProjects:
        return self.projects

    @cached_property
    def workers(self) -> MemoryWorkers:
        return MemoryWorkers(
            self._draft("workers"),
            self._draft("names"),
            self._draft("projects"),
            self._draft("nodes"),
            self._guards.append,
        )

    @cached_property
    def destroyed(self) -> MemoryDestroyedWorkers:
        return MemoryDestroyedWorkers(self._draft("destroyed"))

    @cached_property
    def audit(self) -> MemoryAuditLog:
        return MemoryAuditLog(self._draft("audit"), self._draft("organizations"))

    @cached_property
    def census(self) -> MemoryCensus:
        return MemoryCensus(self._draft("nodes").values, self._draft("workers").values, self._queue)

    @cached_property
    def idempotency(self) -> MemoryIdempotency:
        return MemoryIdempotency(self._draft("idempotency"))

    async def commit(self) -> None:
        for draft in self._drafts.values():
            draft.check()
        for guard in self._guards:
            guard()
        for draft in self._drafts.values():
            draft.apply()
        self.events.apply()
        for kind, subject_id, at in self.due.added:
            self._queue.add(kind, subject_id, at=at)
        for topic in self._hints:
            self._wakeups.hint(topic)

    def hint(self, topic: str) -> None:
        self._hints[topic] = None

    def guard(self, check: Callable[[], None]) -> None:
        """Call it when this commits; what it raises keeps everything as it was."""
        self._guards.append(check)

    def _remove_of(self, org_id: OrgId) -> None:
        """What goes with its organization."""
        self.webhooks.remove_of(org_id)
        self.secrets.remove_of(org_id)
        self.destroyed.remove_of(org_id)
        self.routes.remove_of(org_id)
        self.links.remove_of(org_id)

    def _draft(self, table: str) -> Table[Any, Any]:
        """The transaction's one draft of the table."""
        draft = self._drafts.get(table)
        if draft is None:
            draft = self._drafts[table] = Table(KINDS[table], getattr(self._tables, table))
        return draft


class MemoryStore:
    """The unit of work. Nothing is locked: of two transactions that change the same row the later commit loses."""

    def __init__(self, wakeups: Wakeups) -> None:
        self.queue = MemoryQueue()
        self._wakeups = wakeups
        self._tables = Tables()

    def __call__(self) -> AbstractAsyncContextManager[MemoryTransaction]:
        return self._transaction()

    def reading(self) -> AbstractAsyncContextManager[MemoryTransaction]:
        return self._transaction()

    async def require_writable(self) -> None:
        """Memory always is."""

    def keep_leases(self, seconds: float) -> None:
        """Every server process's lease lasts that much longer, as if it had been renewed."""
        leases = self._tables.leases
        leases.update({key: lease.extended(seconds) for key, lease in leases.items()})

    def reopened(self, wakeups: Wakeups) -> "MemoryStore":
        """The same rows, for a server that starts anew."""
        store = MemoryStore(wakeups)
        store._tables, store.queue = self._tables, self.queue
        return store

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[MemoryTransaction]:
        yield MemoryTransaction(self._tables, self.queue, self._wakeups)
