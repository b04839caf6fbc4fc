"""Spunto as a library: the whole product without doors, on memory, SQLite or Postgres."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import Enum
from pathlib import Path
from typing import Unpack

import structlog

from spunto.adapters.crypto.keyring import Keyring, KeyringFile, MemoryKeyring
from spunto.adapters.memory.store import MemoryStore
from spunto.core.access.model import Actor, OrgId
from spunto.core.access.service import AccessService
from spunto.core.access.standing import Standing
from spunto.core.activity.refusals import Refusals
from spunto.core.activity.service import ActivityService
from spunto.core.kernel.clock import Clock, SystemClock
from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.nodes.gateway import NodeGateway
from spunto.core.nodes.links import NodeLinks
from spunto.core.nodes.model import Node, NodeId, NodeStatus
from spunto.core.nodes.peers import Peers
from spunto.core.nodes.service import NodeService
from spunto.core.nodes.sync import topic
from spunto.core.nodes.tickets import Turnstile
from spunto.core.nodes.waiting import NodeWaits
from spunto.core.orgs.api_keys import ApiKeyService
from spunto.core.orgs.bootstrap import BootstrapService, owner_of
from spunto.core.orgs.device_sign_in import DeviceSignInService
from spunto.core.orgs.enrolment import EnrolmentService
from spunto.core.orgs.invitations import InvitationService
from spunto.core.orgs.members import MemberService
from spunto.core.orgs.model import Organization
from spunto.core.orgs.service import OrganizationService
from spunto.core.orgs.sessions import SessionService
from spunto.core.orgs.sign_in import SignInService
from spunto.core.orgs.users import UserService
from spunto.core.projects.model import ProjectId
from spunto.core.projects.service import ProjectService
from spunto.core.routes.doorman import Doorman
from spunto.core.routes.edges import EdgeRegistry
from spunto.core.routes.gateway import EdgeGateway
from spunto.core.routes.hosts import Addresses
from spunto.core.secrets.org_service import OrganizationSecretService
from spunto.core.secrets.rotation import KeyRotation
from spunto.core.secrets.service import SecretService
from spunto.core.webhooks.deliveries import DeliveryService
from spunto.core.webhooks.service import WebhookService
from spunto.core.workers.bulk import WorkerBulk
from spunto.core.workers.census import Census
from spunto.core.workers.files import WorkerFiles
from spunto.core.workers.history import WorkerHistory
from spunto.core.workers.idling import WorkerIdling
from spunto.core.workers.model import TRANSIENT, WorkerId
from spunto.core.workers.reach import WorkerReach
from spunto.core.workers.service import WorkerService
from spunto.core.workers.sharing import WorkerSharing
from spunto.core.workers.terminals import WorkerTerminals
from spunto.core.workers.uses import WorkerUses
from spunto.core.workers.views import WorkerView
from spunto.core.workers.waiting import WorkerWaits
from spunto.entrypoints.composition import Options, Store, composed, watch_of
from spunto.entrypoints.container import Container
from spunto.entrypoints.serving.databases import sqlite_url
from spunto.entrypoints.serving.telemetry import SILENT

_LOOK_SECONDS = 5.0

log = structlog.get_logger()


class NoKeyring(Enum):
    """What to do at a start where there is no keyring yet, and nothing that needs an older one."""

    MAKE = "make one"
    REFUSE = "do not start: other servers of the same database would not have it"


class Spunto:
    """The services, ready to use, with the reconcile loops running; made by `in_memory`, `sqlite` or `postgres`.

    >>> async with Spunto.in_memory() as spunto:
    ...     owner, organization = await spunto.bootstrap()
    ...     project = await spunto.projects.create(owner, organization.id, name="hello", environment=environment)
    """

    def __init__(self, container: Container) -> None:
        self.access: AccessService = container.access()
        self.standing: Standing = container.standing()
        self.api_keys: ApiKeyService = container.api_keys()
        self.organizations: OrganizationService = container.organizations()
        self.members: MemberService = container.members()
        self.enrolment: EnrolmentService = container.enrolment()
        self.users: UserService = container.users()
        self.secrets: SecretService = container.secrets()
        self.org_secrets: OrganizationSecretService = container.org_secrets()
        self.rotation: KeyRotation = container.rotation()
        self.devices: DeviceSignInService = container.devices()
        self.sessions: SessionService = container.sessions()
        self.sign_in: SignInService = container.sign_in()
        self.invitations: InvitationService = container.invitations()
        self.projects: ProjectService = container.projects()
        self.activity: ActivityService = container.activity()
        self.refusals: Refusals = container.refusals()
        self.webhooks: WebhookService = container.webhooks()
        self.deliveries: DeliveryService = container.deliveries()
        self.nodes: NodeService = container.nodes()
        self.workers: WorkerService = container.workers()
        self.reach: WorkerReach = container.reach()
        self.files: WorkerFiles = container.files()
        self.terminals: WorkerTerminals = container.terminals()
        self.bulk: WorkerBulk = container.bulk()
        self.history: WorkerHistory = container.history()
        self.waits: WorkerWaits = container.waits()
        self.node_waits: NodeWaits = container.node_waits()
        self.gateway: NodeGateway = container.gateway()
        self.sharing: WorkerSharing = container.sharing()
        self.idling: WorkerIdling = container.idling()
        self.uses: WorkerUses = container.uses()
        self.addresses: Addresses = container.addresses().addresses
        self.doorman: Doorman = container.doorman()
        self.edges: EdgeRegistry = container.edges()
        self.edge_gateway: EdgeGateway = container.edge_gateway()
        self.peers: Peers = container.peers()
        self.turnstile: Turnstile = container.turnstile()
        self.links: NodeLinks = container.links()
        self.wakeups: Wakeups = container.wakeups()
        self.clock: Clock = container.clock()
        self._bootstrap: BootstrapService = container.bootstrap()
        self._store = container.store()

    async def bootstrap(self) -> tuple[Actor, Organization]:
        """The first owner and the organization `default`, made where they are not there yet."""
        user, organization = await self._bootstrap.ensure_owner()
        return owner_of(user, organization), organization

    async def settled(
        self, actor: Actor, org_id: OrgId, project_id: ProjectId, worker_id: WorkerId, *, max_seconds: float
    ) -> WorkerView:
        """The worker as soon as nothing is on its way any more: `ready`, `stopped` or `error`.

        Raises TimeoutError after `max_seconds` of the clock's time, NotFound for a worker that is gone.
        """
        await self.workers.get(actor, org_id, project_id, worker_id)
        await self.waits.settled(worker_id, max_seconds=max_seconds)
        view = await self.workers.get(actor, org_id, project_id, worker_id)
        if view.worker.state in TRANSIENT:
            raise TimeoutError(f"The worker is still {view.worker.state} after {max_seconds:g} s.")
        return view

    async def node_online(self, actor: Actor, org_id: OrgId, node_id: NodeId, *, max_seconds: float) -> Node:
        """The node as soon as it takes workers. Raises TimeoutError, NotFound."""
        until = self.clock.monotonic() + max_seconds
        with self.wakeups.subscribe(topic(node_id)) as wakeup:
            while (node := await self.nodes.get(actor, org_id, node_id)).status is not NodeStatus.ONLINE:
                left_seconds = until - self.clock.monotonic()
                if left_seconds <= 0:
                    raise TimeoutError(f"The node is still {node.status} after {max_seconds:g} s.")
                # A hint may be lost between processes.
                await wakeup.wait(max_seconds=min(left_seconds, _LOOK_SECONDS))
        return node

    async def census(self) -> Census:
        """How much there is of everything, over all organizations. Raises Unavailable."""
        async with self._store.reading() as tx:
            census: Census = await tx.census.take(now=self.clock.now())
        return census

    async def check_database(self) -> None:
        """Raises Unavailable where the database does not answer."""
        async with self._store.reading() as tx:
            await tx.organizations.find_by_slug("")

    async def require_writable(self) -> None:
        """Raises Unavailable where the database takes no changes, such as on a full disk."""
        await self._store.require_writable()

    @classmethod
    def in_memory(cls, **options: Unpack[Options]) -> AbstractAsyncContextManager["Spunto"]:
        """Everything in this process; nothing is left when it ends."""
        return cls.on_store(MemoryStore, **options)

    @classmethod
    def sqlite(
        cls, path: Path | str, *, keyring: Path | None = None, **options: Unpack[Options]
    ) -> AbstractAsyncContextManager["Spunto"]:
        """On a SQLite file, made and migrated where needed. One process at a time.

        `keyring` is the file of keys to what is encrypted in it, made where needed; `keyring` beside it otherwise.
        Raises Conflict `database_in_use` where another process runs on the file.
        """
        file = Path(path).resolve()
        return cls.on_database(sqlite_url(file), keyring=keyring or file.with_name("keyring"), **options)

    @classmethod
    def postgres(cls, url: str, *, keyring: Path, **options: Unpack[Options]) -> AbstractAsyncContextManager["Spunto"]:
        """On a Postgres database, migrated where needed; `url` is `postgresql://user:password@host/database`.

        `keyring` is the file with the keys to what is encrypted in it, made where needed.
        """
        return cls.on_database(url, keyring=keyring, **options)

    @classmethod
    @asynccontextmanager
    async def on_store(
        cls,
        store_of: Callable[[Wakeups], Store],
        *,
        keyring: Keyring | None = None,
        timeline_id: str = "memory",
        **options: Unpack[Options],
    ) -> AsyncIterator["Spunto"]:
        """On a store of your own, which passes `spunto.testing.contracts` and lets its commits' hints out to the
        wake-ups that it is made with.

        `timeline_id` names the history of what is stored: a new name tells agents that an older copy was put back.
        Without a `keyring` what is encrypted can't be read after the end.
        """
        wakeups = Wakeups(options.get("clock") or SystemClock())
        store, keys = store_of(wakeups), keyring or MemoryKeyring()
        async with (
            composed(store, keys, wakeups, options, timeline_id=timeline_id) as container,
            cls._running(container) as spunto,
        ):
            yield spunto

    @classmethod
    @asynccontextmanager
    async def on_database(
        cls,
        url: str,
        *,
        keyring: Path,
        no_keyring: NoKeyring = NoKeyring.MAKE,
        pool_size: int = 20,
        notify: bool = True,
        replica_url: str | None = None,
        **options: Unpack[Options],
    ) -> AsyncIterator["Spunto"]:
        """Without `notify` the processes of one Postgres find out by polling alone what the others did; `replica_url`
        is where they reach this one.

        Raises Invalid `keyring_missing`, `keyring_unreadable`, `keyring_mismatch`, Conflict `database_in_use`.
        """
        # SQLAlchemy takes half a second to import; the memory harness goes without.
        from spunto.adapters.sql.alone import alone_on
        from spunto.adapters.sql.hints import hints_between_processes
        from spunto.adapters.sql.migrate import upgrade
        from spunto.adapters.sql.store import SqlStore
        from spunto.adapters.websocket import dial_replica

        wakeups = Wakeups(options.get("clock") or SystemClock())
        with alone_on(url):
            await upgrade(url)
            store = await SqlStore.open(
                url, wakeups, pool_size=pool_size, watch=watch_of(options.get("telemetry", SILENT))
            )
            try:
                file = KeyringFile(keyring)
                hints = hints_between_processes(url, wakeups) if notify else None
                async with composed(
                    store,
                    file,
                    wakeups,
                    options,
                    timeline_id=await store.timeline_id(),
                    **({} if hints is None else {"pass_hints_on": hints.run}),
                    **({} if replica_url is None else {"replica_url": replica_url}),
                    dial_replica=dial_replica,
                ) as container:
                    await _ensure_keyring(file, container.rotation(), no_keyring)
                    async with cls._running(container) as spunto:
                        yield spunto
            finally:
                await store.aclose()

    @classmethod
    @asynccontextmanager
    async def beside_a_server(cls, url: str, *, keyring: Path) -> AsyncIterator["Spunto"]:
        """For an errand on a database that a server may be running on: no reconcile loops, and no node is in reach.

        Raises Unavailable `database_revision` where the database is not up to date.
        """
        from spunto.adapters.sql.store import SqlStore

        wakeups = Wakeups(SystemClock())
        store = await SqlStore.open(url, wakeups, pool_size=1)
        try:
            keys, timeline_id = KeyringFile(keyring), await store.timeline_id()
            async with composed(store, keys, wakeups, {}, timeline_id=timeline_id) as container:
                yield cls(container)
        finally:
            await store.aclose()

    @classmethod
    @asynccontextmanager
    async def _running(cls, container: Container) -> AsyncIterator["Spunto"]:
        await container.rotation().check()
        await container.holding().enter()
        raised: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                loops = [group.create_task(run(), name=name) for name, run in container.loops().items()]
                try:
                    yield cls(container)
                except BaseException as error:
                    raised = error
                    raise
                finally:
                    for loop in loops:
                        loop.cancel()
                    await container.holding().leave()
        except BaseExceptionGroup as failed:
            if raised is None or list(failed.exceptions) != [raised]:
                raise
        # What the caller's own block raised, and nothing failed beside it: as it would come out of any other block.
        if raised is not None:
            raise raised


async def _ensure_keyring(file: KeyringFile, rotation: KeyRotation, no_keyring: NoKeyring) -> None:
    """Raises Invalid `keyring_missing` where a new one would not open what the database holds, or is not wanted."""
    if file.path.exists():
        return
    if no_keyring is NoKeyring.REFUSE or await rotation.is_used():
        raise Invalid(
            "keyring_missing",
            f"There is no keyring at {file.path}: set SPUNTO_KEYRING to this database's own, or make its first one "
            "with `spunto keys generate`.",
        )
    log.info("keyring_made", path=str(file.path), key=file.make().id)
