"""The storage ports in memory: transactions that roll back, and that conflict where a real database's would."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from spunto.adapters.memory.access import MemoryGrants, MemorySessions
from spunto.adapters.memory.activity import Feeds, MemoryAuditLog, MemoryEventFeed
from spunto.adapters.memory.api_keys import MemoryApiKeys
from spunto.adapters.memory.census import MemoryCensus
from spunto.adapters.memory.destroyed import MemoryDestroyedWorkers
from spunto.adapters.memory.devices import MemoryDevices
from spunto.adapters.memory.invitations import MemoryInvitations
from spunto.adapters.memory.nodes import Load, MemoryAssignments, MemoryNodes
from spunto.adapters.memory.orgs import MemoryIdempotency, MemoryIdentities, MemoryMembers, MemoryOrganizations
from spunto.adapters.memory.projects import MemoryProjects
from spunto.adapters.memory.queue import MemoryQueue, MemorySchedule
from spunto.adapters.memory.replicas import Lease, MemoryReplicas
from spunto.adapters.memory.rows import Draft, Table
from spunto.adapters.memory.secrets import MemoryCanary, MemorySecrets
from spunto.adapters.memory.ssh_keys import MemorySshKeys
from spunto.adapters.memory.webhooks import MemoryDeliveries, MemoryWebhooks, MemoryWebhookSecrets
from spunto.adapters.memory.workers import MemoryWorkers
from spunto.core.access.api_keys import ApiKey
from spunto.core.access.model import ApiKeyId, OrgId, Session, SessionId, SignInCode, UserId
from spunto.core.activity.model import AuditEntry
from spunto.core.kernel.idempotency import Remembered
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.nodes.assignment import Assignment, Tombstone
from spunto.core.nodes.model import Node, NodeId, ReplicaId
from spunto.core.orgs.devices import DeviceRequest
from spunto.core.orgs.invitation import Invitation, InvitationId
from spunto.core.orgs.model import Identity, Membership, Organization, User
from spunto.core.orgs.ssh_keys import SshKey, SshKeyId
from spunto.core.projects.model import Project, ProjectId, ProjectVersion
from spunto.core.secrets.model import Sealed, SecretId, StoredSecret
from spunto.core.webhooks.model import Delivery, DeliveryId, Webhook, WebhookId, WebhookSecret, WebhookSecretId
from spunto.core.workers.model import Worker, WorkerId


@dataclass(slots=True, kw_only=True)
class _Tables:
    """Everything committed. The second group are unique keys, each with the id that holds it, and counters."""

    sessions: dict[SessionId, Session] = field(default_factory=dict)
    codes: dict[bytes, SignInCode] = field(default_factory=dict)
    api_keys: dict[ApiKeyId, ApiKey] = field(default_factory=dict)
    organizations: dict[OrgId, Organization] = field(default_factory=dict)
    users: dict[UserId, User] = field(default_factory=dict)
    devices: dict[bytes, DeviceRequest] = field(default_factory=dict)
    identities: dict[tuple[str, str], Identity] = field(default_factory=dict)
    memberships: dict[tuple[OrgId, UserId], Membership] = field(default_factory=dict)
    ssh_keys: dict[SshKeyId, SshKey] = field(default_factory=dict)
    secrets: dict[SecretId, StoredSecret] = field(default_factory=dict)
    canaries: dict[str, Sealed] = field(default_factory=dict)
    invitations: dict[InvitationId, Invitation] = field(default_factory=dict)
    webhooks: dict[WebhookId, Webhook] = field(default_factory=dict)
    webhook_secrets: dict[WebhookSecretId, WebhookSecret] = field(default_factory=dict)
    deliveries: dict[DeliveryId, Delivery] = field(default_factory=dict)
    nodes: dict[NodeId, Node] = field(default_factory=dict)
    assignments: dict[str, Assignment] = field(default_factory=dict)
    tombstones: dict[tuple[NodeId, str], Tombstone] = field(default_factory=dict)
    leases: dict[ReplicaId, Lease] = field(default_factory=dict)
    projects: dict[ProjectId, Project] = field(default_factory=dict)
    versions: dict[tuple[ProjectId, int], ProjectVersion] = field(default_factory=dict)
    workers: dict[WorkerId, Worker] = field(default_factory=dict)
    destroyed: dict[WorkerId, Worker] = field(default_factory=dict)
    audit: dict[str, AuditEntry] = field(default_factory=dict)
    idempotency: dict[tuple[str, str], tuple[Remembered, datetime]] = field(default_factory=dict)

    feeds: Feeds = field(default_factory=Feeds)
    names: dict[tuple[str, ...], str] = field(default_factory=dict)
    loads: dict[NodeId, Load] = field(default_factory=dict)
    indexes: dict[ProjectId, int] = field(default_factory=dict)


class MemoryTransaction:
    """Satisfies the transaction protocol of every slice."""

    def __init__(self, tables: _Tables, queue: MemoryQueue, wakeups: Wakeups) -> None:
        self._queue = queue
        self._wakeups = wakeups
        self._drafts: list[Draft[Any, Any]] = []
        self._guards: list[Callable[[], None]] = []
        self._hints: dict[str, None] = {}
        draft, names = self._draft, self._draft("name", tables.names)
        versions, workers = draft("project version", tables.versions), draft("worker", tables.workers)
        memberships, users = draft("membership", tables.memberships), draft("user", tables.users)
        assignments, tombstones = draft("assignment", tables.assignments), draft("tombstone", tables.tombstones)
        projects, nodes = draft("project", tables.projects), draft("node", tables.nodes)
        self.sessions = MemorySessions(draft("session", tables.sessions), draft("sign-in code", tables.codes))
        organizations = draft("organization", tables.organizations)
        self.api_keys = MemoryApiKeys(draft("API key", tables.api_keys))
        self.grants = MemoryGrants(memberships, organizations, self.sessions, self.api_keys)
        invitations = draft("invitation", tables.invitations)
        self.invitations = MemoryInvitations(invitations, names)
        signing, deliveries = draft("webhook secret", tables.webhook_secrets), draft("delivery", tables.deliveries)
        self.webhooks = MemoryWebhooks(draft("webhook", tables.webhooks), signing, deliveries, tables.feeds)
        self.webhook_secrets = MemoryWebhookSecrets(signing)
        self.deliveries = MemoryDeliveries(deliveries)
        self.secrets = MemorySecrets(draft("secret", tables.secrets), names)
        self.organizations = MemoryOrganizations(
            organizations,
            memberships,
            invitations,
            names,
            {"nodes": nodes.values, "projects": projects.values, "workers": workers.values},
            self._guards.append,
            self._remove_of,
        )
        self.devices = MemoryDevices(draft("device code", tables.devices))
        self.identities = MemoryIdentities(draft("identity", tables.identities))
        self.ssh_keys = MemorySshKeys(draft("SSH key", tables.ssh_keys), names)
        self.canary = MemoryCanary(draft("canary", tables.canaries))
        self.members = MemoryMembers(users, memberships, names)
        leases = draft("replica", tables.leases)
        self.nodes = MemoryNodes(nodes, draft("node", tables.loads), names, assignments, tombstones, leases)
        self.assignments = MemoryAssignments(assignments, tombstones, nodes)
        self.replicas = MemoryReplicas(leases)
        self.projects = self.known_projects = MemoryProjects(
            projects, versions, draft("project", tables.indexes), names, workers, self._guards.append
        )
        self.workers = MemoryWorkers(workers, names, projects, nodes, self._guards.append)
        self.destroyed = MemoryDestroyedWorkers(draft("worker", tables.destroyed))
        self.audit = MemoryAuditLog(draft("audit entry", tables.audit), organizations)
        self.events = MemoryEventFeed(tables.feeds, self.hint)
        self.due = MemorySchedule(self.hint)
        self.census = MemoryCensus(nodes.values, workers.values, queue)
        self.idempotency = MemoryIdempotency(draft("request", tables.idempotency))

    async def commit(self) -> None:
        for draft in self._drafts:
            draft.check()
        for guard in self._guards:
            guard()
        for draft in self._drafts:
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

    def _draft(self, kind: str, committed: dict[Any, Any]) -> Table[Any, Any]:
        draft: Table[Any, Any] = Table(kind, committed)
        self._drafts.append(draft)
        return draft


class MemoryStore:
    """The unit of work. Nothing is locked: of two transactions that change the same row the later commit loses."""

    def __init__(self, wakeups: Wakeups) -> None:
        self.queue = MemoryQueue()
        self._wakeups = wakeups
        self._tables = _Tables()

    def __call__(self) -> AbstractAsyncContextManager[MemoryTransaction]:
        return self._transaction()

    def reading(self) -> AbstractAsyncContextManager[MemoryTransaction]:
        return self._transaction()

    async def require_writable(self) -> None:
        """Memory always is."""

    def reopened(self, wakeups: Wakeups) -> "MemoryStore":
        """The same rows, for a server that starts anew."""
        store = MemoryStore(wakeups)
        store._tables, store.queue = self._tables, self.queue
        return store

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[MemoryTransaction]:
        yield MemoryTransaction(self._tables, self.queue, self._wakeups)
