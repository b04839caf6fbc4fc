"""The services over the memory store, on a clock that stands still, and a way to lose races on purpose."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.unit.core.builders import ORG, OTHER_USER, USER, a_node, a_report, an_actor, an_environment

from spunto.adapters.crypto.cipher import EnvelopeCipher
from spunto.adapters.crypto.keyring import MemoryKeyring
from spunto.adapters.memory.store import MemoryStore, MemoryTransaction
from spunto.core.access.key_uses import KeyUses
from spunto.core.access.model import Actor, OrgId, UserId
from spunto.core.access.policy import Action, Role
from spunto.core.access.service import AccessService
from spunto.core.access.standing import Standing
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.ids import TimeOrderedIds
from spunto.core.kernel.paging import PageRequest
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.nodes.assignment import Assignment, Observation
from spunto.core.nodes.links import NodeLinks
from spunto.core.nodes.model import Node, NodeId, ReplicaId
from spunto.core.nodes.peers import Peers, ReplicaAway
from spunto.core.nodes.reach import HeldNodes, NodeReach
from spunto.core.nodes.replica import Replica
from spunto.core.nodes.service import NodeService
from spunto.core.orgs.api_keys import ApiKeyService
from spunto.core.orgs.bootstrap import BootstrapService
from spunto.core.orgs.invitations import InvitationService
from spunto.core.orgs.members import MemberService
from spunto.core.orgs.model import Membership, Organization, User
from spunto.core.orgs.service import OrganizationService
from spunto.core.orgs.sessions import SessionService
from spunto.core.orgs.users import UserService
from spunto.core.projects.model import Project
from spunto.core.projects.service import ProjectService
from spunto.core.protocol.transport import Transport
from spunto.core.routes.hosts import DEFAULT_BASE_DOMAIN, Addresses
from spunto.core.secrets.keeper import SecretKeeper
from spunto.core.secrets.org_service import OrganizationSecretService
from spunto.core.secrets.rotation import KeyRotation
from spunto.core.secrets.service import SecretService
from spunto.core.webhooks.addresses import AddressRule
from spunto.core.webhooks.courier import WebhookCourier
from spunto.core.webhooks.deliveries import DeliveryService
from spunto.core.webhooks.ports import Answer
from spunto.core.webhooks.service import WebhookService
from spunto.core.webhooks.watch import WebhookWatch
from spunto.core.workers.looks import Looks
from spunto.core.workers.model import Worker, WorkerId
from spunto.core.workers.reconcile import WorkerReconciler
from spunto.core.workers.secrets import WorkerSecrets
from spunto.core.workers.service import WorkerService

Interference = Callable[[], Awaitable[None]]


class RacingStore:
    """Lets somebody else commit between the first transaction's reading and its commit."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.interference: list[Interference] = []

    def reading(self) -> AbstractAsyncContextManager[MemoryTransaction]:
        return self._store.reading()

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[MemoryTransaction]:
        async with self._store() as tx:
            if self.interference:
                interfere, commit = self.interference.pop(0), tx.commit

                async def late_commit() -> None:
                    await interfere()
                    await commit()

                tx.commit = late_commit  # type: ignore[method-assign]  # the race itself
            yield tx


@dataclass(slots=True)
class FakeReceiver:
    """A `WebhookSender` that keeps what is sent, and answers 204 unless other answers are lined up."""

    answers: list[Answer] = field(default_factory=list)
    sent: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)
    meanwhile: Interference | None = None

    async def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        self.sent.append((url, headers, body))
        if self.meanwhile is not None:
            await self.meanwhile()
        return self.answers.pop(0) if self.answers else Answer(status=204)


async def nowhere(_: Replica) -> Transport:
    raise ReplicaAway


@dataclass(slots=True, kw_only=True)
class Memory:
    """One organization with two members, and every service."""

    clock: ManualClock = field(default_factory=ManualClock)
    wakeups: Wakeups = field(init=False)
    store: MemoryStore = field(init=False)
    racing: RacingStore = field(init=False)
    ids: TimeOrderedIds = field(init=False)
    auditor: Auditor = field(init=False)
    links: NodeLinks = field(default_factory=NodeLinks)
    key_uses: KeyUses = field(init=False)
    access: AccessService = field(init=False)
    standing: Standing = field(init=False)
    sessions: SessionService = field(init=False)
    api_keys: ApiKeyService = field(init=False)
    bootstrap: BootstrapService = field(init=False)
    organizations: OrganizationService = field(init=False)
    members: MemberService = field(init=False)
    users: UserService = field(init=False)
    keyring: MemoryKeyring = field(default_factory=MemoryKeyring)
    secrets: SecretService = field(init=False)
    org_secrets: OrganizationSecretService = field(init=False)
    worker_secrets: WorkerSecrets = field(init=False)
    rotation: KeyRotation = field(init=False)
    invitations: InvitationService = field(init=False)
    projects: ProjectService = field(init=False)
    nodes: NodeService = field(init=False)
    workers: WorkerService = field(init=False)
    reconciler: WorkerReconciler = field(init=False)
    receiver: FakeReceiver = field(default_factory=FakeReceiver)
    webhooks: WebhookService = field(init=False)
    deliveries: DeliveryService = field(init=False)
    courier: WebhookCourier = field(init=False)
    watch: WebhookWatch = field(init=False)
    owner: Actor = field(default_factory=an_actor)
    member: Actor = field(default_factory=lambda: an_actor(user_id=OTHER_USER, role=Role.MEMBER))

    def __post_init__(self) -> None:
        self.wakeups = Wakeups(self.clock)
        self.store = MemoryStore(self.wakeups)
        self.racing = RacingStore(self.store)
        self.ids = TimeOrderedIds(self.clock)
        self.auditor = Auditor(clock=self.clock, ids=self.ids)
        self.key_uses = KeyUses(self.racing, clock=self.clock)
        self.access = AccessService(
            self.racing, clock=self.clock, ids=self.ids, wakeups=self.wakeups, uses=self.key_uses
        )
        self.standing = Standing(self.access, clock=self.clock, wakeups=self.wakeups)
        self.sessions = SessionService(self.racing, auditor=self.auditor, clock=self.clock, ids=self.ids)
        self.api_keys = ApiKeyService(self.racing, auditor=self.auditor, clock=self.clock, ids=self.ids)
        self.bootstrap = BootstrapService(self.racing, clock=self.clock, ids=self.ids)
        self.organizations = OrganizationService(self.racing, auditor=self.auditor, clock=self.clock, ids=self.ids)
        self.members = MemberService(self.racing, auditor=self.auditor, clock=self.clock)
        cipher = EnvelopeCipher(self.keyring)
        self.users = UserService(self.racing, auditor=self.auditor, clock=self.clock, ids=self.ids)
        keeper = SecretKeeper(cipher=cipher, clock=self.clock, ids=self.ids)
        self.secrets = SecretService(self.racing, keeper=keeper, auditor=self.auditor)
        self.org_secrets = OrganizationSecretService(self.racing, keeper=keeper, auditor=self.auditor)
        self.worker_secrets = WorkerSecrets(self.racing, cipher=cipher)
        self.rotation = KeyRotation(self.racing, cipher=cipher)
        self.invitations = InvitationService(self.racing, auditor=self.auditor, clock=self.clock, ids=self.ids)
        self.projects = ProjectService(self.racing, auditor=self.auditor, clock=self.clock, ids=self.ids)
        replica = Replica(id=ReplicaId("rpl_memory"))
        held = HeldNodes(self.links)
        peers = Peers(own=replica, dial=nowhere, timeline_id="memory", clock=self.clock, on_stream=held.handle)
        reach = NodeReach(self.racing, links=self.links, replica=replica, peers=peers, clock=self.clock)
        self.nodes = NodeService(
            self.racing, links=self.links, reach=reach, auditor=self.auditor, clock=self.clock, ids=self.ids
        )
        self.workers = WorkerService(
            self.racing,
            links=self.links,
            looks=Looks(self.racing, auditor=self.auditor, clock=self.clock),
            auditor=self.auditor,
            clock=self.clock,
            ids=self.ids,
            addresses=Addresses(scheme="http", base_domain=DEFAULT_BASE_DOMAIN, port=8000),
        )
        self.reconciler = WorkerReconciler(self.racing, auditor=self.auditor, clock=self.clock)
        self.webhooks = WebhookService(
            self.racing, cipher=cipher, rule=AddressRule(), auditor=self.auditor, clock=self.clock, ids=self.ids
        )
        self.deliveries = DeliveryService(self.racing, auditor=self.auditor, clock=self.clock, ids=self.ids)
        self.courier = WebhookCourier(
            self.racing, sender=self.receiver, cipher=cipher, auditor=self.auditor, clock=self.clock, ids=self.ids
        )
        self.watch = WebhookWatch(self.racing, clock=self.clock, wakeups=self.wakeups)

    async def populate(self) -> None:
        """The organization and its two members."""
        now = self.clock.now()
        async with self.store() as tx:
            await tx.organizations.add(Organization(id=ORG, name="Org", slug="org", created_at=now))
            for user_id, role in ((USER, Role.OWNER), (OTHER_USER, Role.MEMBER)):
                await tx.members.add_user(User(id=user_id, name="x", email=f"{user_id}@example.org", created_at=now))
                await tx.members.add(Membership(org_id=ORG, user_id=user_id, role=role, joined_at=now))
            await tx.commit()

    async def a_user(self, email: str) -> Actor:
        """Somebody who signed in and belongs to no organization."""
        user = User(id=UserId(self.ids.new("usr")), name="Guest", email=email, created_at=self.clock.now())
        async with self.store() as tx:
            await tx.members.add_user(user)
            await tx.commit()
        return an_actor(user_id=user.id, roles={})

    async def add_node(self, name: str = "one", **fields: Any) -> Node:
        node = a_node(name, id=NodeId(self.ids.new("nod")), **fields)
        async with self.store() as tx:
            await tx.nodes.add(node)
            await tx.commit()
        return node

    async def add_project(self, name: str = "hello", **fields: Any) -> Project:
        return await self.projects.create(self.owner, ORG, name=name, environment=an_environment(**fields))

    async def report(self, worker_id: WorkerId, report: Observation) -> None:
        """What the worker's node says, recorded and reacted to."""
        async with self.store() as tx:
            assignment = await self._assignment(tx, worker_id)
            await tx.assignments.update(assignment.observing(report))
            await tx.commit()
        await self.reconciler.handle(worker_id)

    async def reported(self, worker_id: WorkerId, **fields: Any) -> None:
        """The same, of the newest generation."""
        assignment = await self.assignment(worker_id)
        await self.report(worker_id, replace(a_report(generation=assignment.generation), **fields))

    async def gone(self, worker_id: WorkerId) -> None:
        """The node says that what was to be absent is."""
        async with self.store() as tx:
            assignment = await self._assignment(tx, worker_id)
            if assignment.reserves:
                await tx.nodes.release(assignment.node_id, assignment.demand)
            await tx.assignments.remove(assignment, at=self.clock.now())
            await tx.commit()
        await self.reconciler.handle(worker_id)

    async def assignment(self, worker_id: WorkerId) -> Assignment:
        async with self.store.reading() as tx:
            return await self._assignment(tx, worker_id)

    async def node(self, node_id: NodeId) -> Node:
        async with self.store.reading() as tx:
            node = await tx.nodes.find(node_id)
        assert node is not None
        return node

    async def worker(self, worker_id: WorkerId) -> Worker | None:
        async with self.store.reading() as tx:
            return await tx.workers.find(worker_id)

    async def set_connected(self, node_id: NodeId, *, connected: bool) -> None:
        async with self.store() as tx:
            node = await tx.nodes.find(node_id)
            assert node is not None
            await tx.nodes.update(replace(node, connected=connected, connection_changed_at=self.clock.now()))
            await tx.commit()

    async def audit(self, org_id: OrgId = ORG) -> Mapping[str, int]:
        """How often each action stands in the audit log."""
        counted: dict[str, int] = {}
        async with self.store.reading() as tx:
            tenant = an_actor(roles={org_id: Role.OWNER}).require(Action.ORG_READ, org_id=org_id)
            for entry in (await tx.audit.list(tenant, PageRequest(limit=1000))).items:
                counted[entry.action.value] = counted.get(entry.action.value, 0) + 1
        return counted

    async def _assignment(self, tx: MemoryTransaction, worker_id: WorkerId) -> Assignment:
        assignment = await tx.assignments.find(worker_id)
        assert assignment is not None
        return assignment
