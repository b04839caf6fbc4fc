"""The one composition: adapters that are given, already open, wired to services."""

from collections.abc import Callable
from typing import Any

from dependency_injector.containers import DeclarativeContainer
from dependency_injector.providers import Dependency, Factory, Object, Singleton

from spunto.adapters.log_mailer import LogMailer
from spunto.core.access.key_uses import KeyUses
from spunto.core.access.service import AccessService
from spunto.core.access.standing import Standing
from spunto.core.activity.refusals import Refusals
from spunto.core.activity.service import ActivityService
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.ids import Ids, TimeOrderedIds
from spunto.core.kernel.reconcile import Around, Reconciler, WorkQueue
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.nodes.gateway import NodeGateway
from spunto.core.nodes.holding import Holding
from spunto.core.nodes.links import NodeLinks
from spunto.core.nodes.model import ReplicaId
from spunto.core.nodes.replica import Replica
from spunto.core.nodes.service import NodeService
from spunto.core.orgs.api_keys import ApiKeyService
from spunto.core.orgs.bootstrap import BootstrapService
from spunto.core.orgs.device_sign_in import DeviceSignInService
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
from spunto.core.protocol.messages import AssignmentKind
from spunto.core.secrets.ports import Cipher
from spunto.core.secrets.rotation import KeyRotation
from spunto.core.secrets.service import SecretService
from spunto.core.webhooks.addresses import AddressRule
from spunto.core.webhooks.courier import KIND as WEBHOOK
from spunto.core.webhooks.courier import WebhookCourier
from spunto.core.webhooks.deliveries import DeliveryService
from spunto.core.webhooks.ports import WebhookSender
from spunto.core.webhooks.service import WebhookService
from spunto.core.webhooks.watch import WebhookWatch
from spunto.core.workers.reach import WorkerReach
from spunto.core.workers.reconcile import WorkerReconciler
from spunto.core.workers.service import WorkerService
from spunto.entrypoints.serving.telemetry import SILENT

DEFAULT_URL = "http://127.0.0.1:8000"


def _replica(ids: Ids, url: str | None) -> Replica:
    """This run of the process, as the others know it."""
    return Replica(id=ReplicaId(ids.new("rpl")), url=url)


class Container(DeclarativeContainer):
    """`store` is the unit of work of every slice; `report` hears what a reconcile loop could not do."""

    clock: Dependency[Clock] = Dependency()
    wakeups: Dependency[Wakeups] = Dependency(instance_of=Wakeups)
    # The store satisfies the transaction protocols of all slices at once, which no single type says.
    store: Dependency[Any] = Dependency()
    queue: Dependency[WorkQueue] = Dependency()
    cipher: Dependency[Cipher] = Dependency()
    timeline_id: Dependency[str] = Dependency(instance_of=str)
    mailer: Dependency[Mailer] = Dependency(default=LogMailer())
    public_url: Dependency[str] = Dependency(instance_of=str, default=DEFAULT_URL)
    report: Dependency[Callable[[str, str, BaseException], None]] = Dependency()
    identity_provider: Dependency[IdentityProvider | None] = Dependency(default=Object(None))
    owner_email: Dependency[str | None] = Dependency(default=Object(None))
    around: Dependency[Around] = Dependency(default=SILENT.around_item)
    webhook_rule: Dependency[AddressRule] = Dependency(default=Object(AddressRule()))
    webhook_sender: Dependency[WebhookSender] = Dependency()

    replica_url: Dependency[str | None] = Dependency(default=Object(None))

    ids = Singleton(TimeOrderedIds, clock)
    links = Singleton(NodeLinks)
    replica = Singleton(_replica, ids, replica_url)

    key_uses = Singleton(KeyUses, store, clock=clock)
    access = Singleton(AccessService, store, clock=clock, ids=ids, wakeups=wakeups, uses=key_uses)
    standing = Singleton(Standing, access, clock=clock, wakeups=wakeups)
    api_keys = Singleton(ApiKeyService, store, clock=clock, ids=ids)
    bootstrap = Singleton(BootstrapService, store, clock=clock, ids=ids)
    organizations = Singleton(OrganizationService, store, clock=clock, ids=ids)
    members = Singleton(MemberService, store, clock=clock, ids=ids)
    users = Singleton(UserService, store, clock=clock, ids=ids)
    secrets = Singleton(SecretService, store, cipher=cipher, clock=clock, ids=ids)
    rotation = Singleton(KeyRotation, store, cipher=cipher)
    devices = Singleton(DeviceSignInService, store, clock=clock, ids=ids)
    sessions = Singleton(SessionService, store, clock=clock, ids=ids)
    sign_in = Singleton(SignInService, store, provider=identity_provider, owner_email=owner_email, clock=clock, ids=ids)
    invitations = Singleton(InvitationService, store, clock=clock, ids=ids)
    projects = Singleton(ProjectService, store, clock=clock, ids=ids)
    activity = Singleton(ActivityService, store, clock=clock, wakeups=wakeups)
    refusals = Singleton(Refusals, store, clock=clock, ids=ids, wakeups=wakeups)
    webhooks = Singleton(WebhookService, store, cipher=cipher, rule=webhook_rule, clock=clock, ids=ids)
    deliveries = Singleton(DeliveryService, store, clock=clock, ids=ids)
    nodes = Singleton(NodeService, store, links=links, clock=clock, ids=ids)
    gateway = Singleton(
        NodeGateway,
        store,
        secrets=secrets,
        links=links,
        clock=clock,
        ids=ids,
        wakeups=wakeups,
        replica_id=replica.provided.id,
        timeline_id=timeline_id,
    )
    holding = Singleton(
        Holding, store, replica=replica, links=links, clock=clock, ids=ids, wakeups=wakeups, report=report
    )
    workers = Singleton(WorkerService, store, links=links, clock=clock, ids=ids)
    reach = Singleton(WorkerReach, store, links=links)

    worker_reconciler = Singleton(WorkerReconciler, store, clock=clock, ids=ids)
    worker_loop = Factory(
        Reconciler,
        AssignmentKind.WORKER.value,
        worker_reconciler.provided.handle,
        queue=queue,
        clock=clock,
        wakeups=wakeups,
        report=report,
        around=around,
    )

    invitation_mailer = Singleton(InvitationMailer, store, mailer=mailer, clock=clock, public_url=public_url)
    mail_loop = Factory(
        Reconciler,
        INVITATION_MAIL,
        invitation_mailer.provided.handle,
        queue=queue,
        clock=clock,
        wakeups=wakeups,
        report=report,
        around=around,
    )

    webhook_watch = Singleton(WebhookWatch, store, clock=clock, wakeups=wakeups)
    webhook_courier = Singleton(WebhookCourier, store, sender=webhook_sender, cipher=cipher, clock=clock, ids=ids)
    webhook_loop = Factory(
        Reconciler,
        WEBHOOK,
        webhook_courier.provided.handle,
        queue=queue,
        clock=clock,
        wakeups=wakeups,
        report=report,
        around=around,
    )
