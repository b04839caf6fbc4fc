"""The one composition: adapters that are given, already open, wired to services."""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar
from urllib.parse import urlsplit

from dependency_injector.containers import DeclarativeContainer
from dependency_injector.providers import Dependency, Dict, Factory, Object, Singleton

from spunto.adapters.log_mailer import LogMailer
from spunto.core.access.key_uses import KeyUses
from spunto.core.access.model import Actor, OrgId
from spunto.core.access.service import AccessService
from spunto.core.access.standing import Standing
from spunto.core.activity.model import Auditor
from spunto.core.activity.refusals import Refusals
from spunto.core.activity.service import ActivityService
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.ids import Ids, TimeOrderedIds
from spunto.core.kernel.log import Log, silent
from spunto.core.kernel.reconcile import Around, Reconciler, WorkQueue
from spunto.core.kernel.waiting import Waits
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.nodes.gateway import NodeGateway
from spunto.core.nodes.holding import Holding
from spunto.core.nodes.links import NodeLinks
from spunto.core.nodes.model import ReplicaId
from spunto.core.nodes.peers import Dial, Peers, ReplicaAway
from spunto.core.nodes.presence import Presence
from spunto.core.nodes.reach import HeldNodes, NodeReach
from spunto.core.nodes.replica import Replica
from spunto.core.nodes.service import NodeService
from spunto.core.nodes.tickets import Seal, Ticket, Turnstile
from spunto.core.nodes.waiting import NodeWaits
from spunto.core.orgs.api_keys import ApiKeyService
from spunto.core.orgs.bootstrap import BootstrapService
from spunto.core.orgs.device_sign_in import DeviceSignInService
from spunto.core.orgs.enrolment import EnrolmentService
from spunto.core.orgs.invitations import InvitationService
from spunto.core.orgs.mail import KIND as INVITATION_MAIL
from spunto.core.orgs.mail import InvitationMailer, Mailer
from spunto.core.orgs.members import MemberService
from spunto.core.orgs.ports import IdentityProvider
from spunto.core.orgs.service import OrganizationService
from spunto.core.orgs.sessions import SessionService
from spunto.core.orgs.sign_in import SignInService
from spunto.core.orgs.users import UserService
from spunto.core.projects.service import ProjectService
from spunto.core.protocol.transport import Transport
from spunto.core.routes.desired import AddressesSpec
from spunto.core.routes.doorman import Doorman
from spunto.core.routes.edges import EdgeRegistry
from spunto.core.routes.gateway import EdgeGateway
from spunto.core.routes.hosts import DEFAULT_BASE_DOMAIN, Addresses, base_domain_problem
from spunto.core.routes.questions import Questions, Start
from spunto.core.routes.sync import PassKeys
from spunto.core.secrets.keeper import SecretKeeper
from spunto.core.secrets.org_service import OrganizationSecretService
from spunto.core.secrets.ports import Cipher
from spunto.core.secrets.rotation import KeyRotation
from spunto.core.secrets.service import SecretService
from spunto.core.specs import worker as worker_specs
from spunto.core.webhooks.addresses import AddressRule
from spunto.core.webhooks.courier import KIND as WEBHOOK
from spunto.core.webhooks.courier import WebhookCourier
from spunto.core.webhooks.deliveries import DeliveryService
from spunto.core.webhooks.ports import WebhookSender
from spunto.core.webhooks.service import WebhookService
from spunto.core.webhooks.watch import WebhookWatch
from spunto.core.workers.bulk import WorkerBulk
from spunto.core.workers.entrance import Entrance
from spunto.core.workers.files import WorkerFiles
from spunto.core.workers.history import WorkerHistory
from spunto.core.workers.idle import KIND as IDLENESS
from spunto.core.workers.idling import WorkerIdling
from spunto.core.workers.looks import Looks
from spunto.core.workers.model import WorkerId
from spunto.core.workers.reach import WorkerReach
from spunto.core.workers.reconcile import WorkerReconciler
from spunto.core.workers.secrets import WorkerSecrets
from spunto.core.workers.service import WorkerService
from spunto.core.workers.sharing import WorkerSharing
from spunto.core.workers.terminals import WorkerTerminals
from spunto.core.workers.uses import WorkerUses
from spunto.core.workers.waiting import WorkerWaits
from spunto.entrypoints.serving.telemetry import SILENT

DEFAULT_URL = "http://127.0.0.1:8000"


def _replica(ids: Ids, url: str | None) -> Replica:
    """This run of the process, as the others know it."""
    return Replica(id=ReplicaId(ids.new("rpl")), url=url)


def _addresses(public_url: str, base_domain: str) -> AddressesSpec:
    """Workers are reached by the server's own scheme and port. Raises Invalid `base_domain_invalid`."""
    problem = base_domain_problem(base_domain)
    if problem is not None:
        raise Invalid("base_domain_invalid", f"The base domain {problem}.")
    own = urlsplit(public_url)
    addresses = Addresses(scheme="https" if own.scheme == "https" else "http", base_domain=base_domain, port=own.port)
    return AddressesSpec(app_url=public_url, addresses=addresses)


def _start(workers: WorkerService) -> Start:
    """Have a worker started by whoever reaches for it."""

    async def start(actor: Actor, org_id: OrgId, subject_id: str) -> None:
        await workers.start(actor, org_id, None, WorkerId(subject_id))

    return start


async def _alone() -> None:
    """A process without others on its database has nobody to pass hints on to."""


DialReplica = Callable[[str, str], Awaitable[Transport]]
"""Connects to the URL of another server process, with that `Authorization`. Raises Unavailable."""


def _dial(dial_replica: DialReplica | None, *, replica: Replica, seal: Seal, timeline_id: str, clock: Clock) -> Dial:
    """How other processes are reached, where there may be any."""

    async def dial(other: Replica) -> Transport:
        if dial_replica is None:
            raise ReplicaAway
        ticket = Ticket.new(from_id=replica.id, to_id=other.id, timeline_id=timeline_id, clock=clock)
        return await dial_replica(other.url or "", ticket.header(seal))

    return dial


class Container(DeclarativeContainer):
    """`store` is the unit of work of every slice; `report` hears what a reconcile loop could not do, `log` how agents
    come and go."""

    clock: Dependency[Clock] = Dependency()
    wakeups: Dependency[Wakeups] = Dependency(instance_of=Wakeups)
    # The store satisfies the transaction protocols of all slices at once, which no single type says.
    store: Dependency[Any] = Dependency()
    queue: Dependency[WorkQueue] = Dependency()
    cipher: Dependency[Cipher] = Dependency()
    timeline_id: Dependency[str] = Dependency(instance_of=str)
    mailer: Dependency[Mailer] = Dependency(default=LogMailer())
    public_url: Dependency[str] = Dependency(instance_of=str, default=DEFAULT_URL)
    base_domain: Dependency[str] = Dependency(instance_of=str, default=DEFAULT_BASE_DOMAIN)
    report: Dependency[Callable[[str, str, BaseException], None]] = Dependency()
    log: Dependency[Log] = Dependency(default=Object(silent))
    identity_provider: Dependency[IdentityProvider | None] = Dependency(default=Object(None))
    owner_email: Dependency[str | None] = Dependency(default=Object(None))
    around: Dependency[Around] = Dependency(default=SILENT.around_item)
    webhook_rule: Dependency[AddressRule] = Dependency(default=Object(AddressRule()))
    webhook_sender: Dependency[WebhookSender] = Dependency()
    pass_hints_on: Dependency[Callable[[], Awaitable[None]]] = Dependency(default=Object(_alone))

    replica_url: Dependency[str | None] = Dependency(default=Object(None))
    seal: Dependency[Seal] = Dependency()
    pass_keys: Dependency[PassKeys] = Dependency()
    dial_replica: Dependency[DialReplica | None] = Dependency(default=Object(None))

    ids = Singleton(TimeOrderedIds, clock)
    auditor = Singleton(Auditor, clock=clock, ids=ids)
    links = Singleton(NodeLinks)
    replica = Singleton(_replica, ids, replica_url)
    dial = Singleton(_dial, dial_replica, replica=replica, seal=seal, timeline_id=timeline_id, clock=clock)

    key_uses = Singleton(KeyUses, store, clock=clock)
    access = Singleton(AccessService, store, clock=clock, ids=ids, wakeups=wakeups, uses=key_uses)
    standing = Singleton(Standing, access, clock=clock, wakeups=wakeups)
    api_keys = Singleton(ApiKeyService, store, auditor=auditor, clock=clock, ids=ids)
    bootstrap = Singleton(BootstrapService, store, clock=clock, ids=ids)
    organizations = Singleton(OrganizationService, store, auditor=auditor, clock=clock, ids=ids)
    members = Singleton(MemberService, store, auditor=auditor, clock=clock)
    enrolment = Singleton(EnrolmentService, store, auditor=auditor, clock=clock, ids=ids)
    users = Singleton(UserService, store, auditor=auditor, clock=clock, ids=ids)
    secret_keeper = Singleton(SecretKeeper, cipher=cipher, clock=clock, ids=ids)
    secrets = Singleton(SecretService, store, keeper=secret_keeper, auditor=auditor)
    org_secrets = Singleton(OrganizationSecretService, store, keeper=secret_keeper, auditor=auditor)
    worker_secrets = Singleton(WorkerSecrets, store, cipher=cipher)
    rotation = Singleton(KeyRotation, store, cipher=cipher)
    devices = Singleton(DeviceSignInService, store, auditor=auditor, clock=clock, ids=ids)
    sessions = Singleton(SessionService, store, auditor=auditor, clock=clock, ids=ids)
    sign_in = Singleton(
        SignInService, store, provider=identity_provider, owner_email=owner_email, auditor=auditor, clock=clock, ids=ids
    )
    invitations = Singleton(InvitationService, store, auditor=auditor, clock=clock, ids=ids)
    projects = Singleton(ProjectService, store, auditor=auditor, clock=clock, ids=ids)
    activity = Singleton(ActivityService, store, clock=clock, wakeups=wakeups)
    refusals = Singleton(Refusals, store, auditor=auditor, clock=clock, wakeups=wakeups)
    webhooks = Singleton(WebhookService, store, cipher=cipher, rule=webhook_rule, auditor=auditor, clock=clock, ids=ids)
    deliveries = Singleton(DeliveryService, store, auditor=auditor, clock=clock, ids=ids)
    held_nodes = Singleton(HeldNodes, links)
    peers = Singleton(
        Peers, own=replica, dial=dial, timeline_id=timeline_id, clock=clock, on_stream=held_nodes.provided.handle
    )
    turnstile = Singleton(Turnstile, own_id=replica.provided.id, timeline_id=timeline_id, seal=seal, clock=clock)
    node_reach = Singleton(NodeReach, store, links=links, replica=replica, peers=peers, clock=clock)
    nodes = Singleton(NodeService, store, links=links, reach=node_reach, auditor=auditor, clock=clock, ids=ids)
    presence = Singleton(Presence, store, links=links, auditor=auditor, clock=clock, log=log)
    gateway = Singleton(
        NodeGateway,
        store,
        secrets=worker_secrets,
        links=links,
        auditor=auditor,
        presence=presence,
        clock=clock,
        wakeups=wakeups,
        replica_id=replica.provided.id,
        timeline_id=timeline_id,
        log=log,
    )
    holding = Singleton(
        Holding, store, replica=replica, links=links, presence=presence, clock=clock, wakeups=wakeups, report=report
    )
    addresses = Singleton(_addresses, public_url, base_domain)
    edges = Singleton(EdgeRegistry, store, clock=clock, ids=ids)
    doorman = Singleton(
        Doorman,
        store,
        recognise=access.provided.authenticate,
        auditor=auditor,
        clock=clock,
        base_domain=base_domain,
    )
    looks = Singleton(Looks, store, auditor=auditor, clock=clock)
    workers = Singleton(
        WorkerService,
        store,
        links=links,
        looks=looks,
        auditor=auditor,
        clock=clock,
        ids=ids,
        addresses=addresses.provided.addresses,
    )
    sharing = Singleton(
        WorkerSharing, store, auditor=auditor, clock=clock, ids=ids, addresses=addresses.provided.addresses
    )
    uses = Singleton(WorkerUses, store, clock=clock)
    questions = Singleton(
        Questions,
        store,
        doorman=doorman,
        nodes=node_reach,
        start=Singleton(_start, workers),
        note_use=uses.provided.note,
    )
    edge_gateway = Singleton(
        EdgeGateway,
        store,
        on_question=questions.provided.handle,
        keys=pass_keys,
        addresses=addresses,
        clock=clock,
        wakeups=wakeups,
        timeline_id=timeline_id,
        log=log,
    )
    entrance = Singleton(Entrance, store, nodes=node_reach, looks=looks)
    reach = Singleton(
        WorkerReach, store, entrance=entrance, looks=looks, uses=uses, addresses=addresses.provided.addresses
    )
    files = Singleton(WorkerFiles, entrance, uses=uses)
    terminals = Singleton(WorkerTerminals, store, entrance=entrance, uses=uses)
    idling = Singleton(WorkerIdling, store, auditor=auditor, clock=clock)
    bulk = Singleton(WorkerBulk, workers)
    history = Singleton(WorkerHistory, store, looks=looks, clock=clock, addresses=addresses.provided.addresses)
    _waits = Singleton(Waits, wakeups=wakeups, clock=clock)
    waits = Singleton(WorkerWaits, store, waits=_waits)
    node_waits = Singleton(NodeWaits, store, waits=_waits)

    _looping: ClassVar[dict[str, Any]] = {
        "queue": queue,
        "clock": clock,
        "wakeups": wakeups,
        "report": report,
        "around": around,
    }
    worker_reconciler = Singleton(WorkerReconciler, store, auditor=auditor, clock=clock)
    worker_loop = Factory(Reconciler, worker_specs.KIND, worker_reconciler.provided.handle, **_looping)

    idle_loop = Factory(Reconciler, IDLENESS, idling.provided.handle, **_looping)

    invitation_mailer = Singleton(InvitationMailer, store, mailer=mailer, clock=clock, public_url=public_url)
    mail_loop = Factory(Reconciler, INVITATION_MAIL, invitation_mailer.provided.handle, **_looping)

    webhook_watch = Singleton(WebhookWatch, store, clock=clock, wakeups=wakeups)
    webhook_courier = Singleton(
        WebhookCourier, store, sender=webhook_sender, cipher=cipher, auditor=auditor, clock=clock, ids=ids
    )
    webhook_loop = Factory(Reconciler, WEBHOOK, webhook_courier.provided.handle, **_looping)

    # What runs as long as the process does, by the name of its task.
    loops = Dict(
        {
            "reconcile workers": worker_loop.provided.run,
            "stop idle workers": idle_loop.provided.run,
            "hold nodes": holding.provided.run,
            "reach other servers": peers.provided.run,
            "pass hints on": pass_hints_on,
            "note uses of keys": key_uses.provided.run,
            "watch standing": standing.provided.run,
            "mail invitations": mail_loop.provided.run,
            "deliver webhooks": webhook_loop.provided.run,
            "watch for webhooks": webhook_watch.provided.run,
            "prune deliveries": webhook_watch.provided.keep_pruned,
            "refusals": refusals.provided.run,
            "prune events": activity.provided.keep_pruned,
            "forget routes of what is gone": edges.provided.keep_pruned,
            "forget destroyed workers": history.provided.keep_pruned,
        }
    )
