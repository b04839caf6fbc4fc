"""What the storage contracts take for granted of a store, and builders of what it keeps."""

import itertools
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from spunto.core.access.api_keys import ApiKey
from spunto.core.access.model import Actor, ActorKind, ApiKeyId, OrgId, Session, SessionId, Tenant, UserId
from spunto.core.access.policy import Action, Role, Scope
from spunto.core.activity.events import Event, EventType
from spunto.core.activity.model import AuditEntry
from spunto.core.kernel.ids import encode
from spunto.core.kernel.reconcile import WorkQueue
from spunto.core.nodes.assignment import Assignment
from spunto.core.nodes.model import Agent, Capacity, Demand, Disk, Machine, Node, NodeId
from spunto.core.nodes.ports import NodesTransaction
from spunto.core.orgs.model import Organization, User
from spunto.core.orgs.ssh_keys import SshKey, SshKeyId
from spunto.core.projects.model import Environment, Project, ProjectId, ProjectVersion
from spunto.core.protocol.messages import Wanted
from spunto.core.routes.desired import Sharing
from spunto.core.routes.ports import RoutesTransaction
from spunto.core.secrets.model import Sealed, SecretId, SecretOwner, StoredSecret
from spunto.core.secrets.ports import SecretsTransaction
from spunto.core.specs.worker import Power, WorkerSpec
from spunto.core.webhooks.model import Delivery, DeliveryId, Webhook, WebhookId, WebhookSecret, WebhookSecretId
from spunto.core.webhooks.ports import WebhooksTransaction
from spunto.core.workers.model import Worker, WorkerId, WorkerState
from spunto.core.workers.ports import WorkersTransaction

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
_counter = itertools.count(1)


class StoreTransaction(
    WebhooksTransaction, SecretsTransaction, NodesTransaction, RoutesTransaction, WorkersTransaction, Protocol
):
    """The transaction of every slice at once."""


class Store(Protocol):
    @property
    def queue(self) -> WorkQueue: ...

    def __call__(self) -> AbstractAsyncContextManager[StoreTransaction]: ...

    def reading(self) -> AbstractAsyncContextManager[StoreTransaction]: ...

    async def require_writable(self) -> None: ...


def an_id(prefix: str) -> str:
    """Ids made later sort behind."""
    return f"{prefix}_{encode(next(_counter))}"


def an_actor(*org_ids: OrgId) -> Actor:
    return Actor(
        kind=ActorKind.USER,
        user_id=UserId(an_id("usr")),
        credential_id="ses_1",
        roles=dict.fromkeys(org_ids, Role.ADMIN),
    )


def a_tenant(org_id: OrgId | None = None) -> Tenant:
    own = org_id or OrgId(an_id("org"))
    return Tenant(org_id=own, role=Role.ADMIN, actor=an_actor(own))


def a_session(**changes: Any) -> Session:
    session_id = an_id("ses")
    fields: dict[str, Any] = {
        "id": SessionId(session_id),
        "user_id": UserId(an_id("usr")),
        "token_hash": session_id.encode(),
        "created_at": NOW,
        "expires_at": LATER,
        "last_seen_at": NOW,
        "idle_seconds": 60,
    }
    return Session(**fields | changes)


def an_api_key(tenant: Tenant, **changes: Any) -> ApiKey:
    key_id = an_id("key")
    fields: dict[str, Any] = {
        "id": ApiKeyId(key_id),
        "org_id": tenant.org_id,
        "name": "CI",
        "user_id": tenant.actor.user_id,
        "created_by": tenant.actor.user_id,
        "kid": key_id[-12:],
        "secret_hash": b"\x00\xff",
        "scopes": frozenset({Scope.WORKERS_READ, Scope.PROJECTS_WRITE}),
        "created_at": NOW,
        "expires_at": LATER,
    }
    return ApiKey(**fields | changes)


def an_organization(**changes: Any) -> Organization:
    org_id = an_id("org")
    fields: dict[str, Any] = {"id": OrgId(org_id), "name": "Acme", "slug": org_id[4:], "created_at": NOW}
    return Organization(**fields | changes)


def a_user(**changes: Any) -> User:
    user_id = an_id("usr")
    fields: dict[str, Any] = {"id": UserId(user_id), "name": "Ada", "email": f"{user_id}@host", "created_at": NOW}
    return User(**fields | changes)


def a_sealed(key_id: str = "k1", *, wrapped_key: bytes = b"\x00w") -> Sealed:
    return Sealed(key_id=key_id, wrapped_key=wrapped_key, ciphertext=b"\xffc")


def a_secret(owner_id: SecretOwner, *, key_id: str = "k1", **changes: Any) -> StoredSecret:
    secret_id = an_id("sec")
    fields: dict[str, Any] = {
        "id": SecretId(secret_id),
        "owner_id": owner_id,
        "name": secret_id.upper(),
        "sealed": a_sealed(key_id),
        "size_bytes": 5,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return StoredSecret(**fields | changes)


def an_ssh_key(user_id: UserId, **changes: Any) -> SshKey:
    key_id = an_id("ssk")
    fields: dict[str, Any] = {
        "id": SshKeyId(key_id),
        "user_id": user_id,
        "name": "laptop",
        "type": "ssh-ed25519",
        "public_key": "ssh-ed25519 AAAA",
        "fingerprint": f"SHA256:{key_id}",
        "created_at": NOW,
    }
    return SshKey(**fields | changes)


def a_webhook(tenant: Tenant, **changes: Any) -> Webhook:
    fields: dict[str, Any] = {
        "id": WebhookId(an_id("whk")),
        "org_id": tenant.org_id,
        "url": "https://hooks.example.org/x",
        "description": "Ünïcode",
        "events": frozenset({EventType.WORKER_SPAWNED, EventType.NODE_ONLINE}),
        "enabled": True,
        "read_to": 0,
        "failing_since": NOW,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Webhook(**fields | changes)


def a_webhook_secret(webhook: Webhook, *, key_id: str = "k1", **changes: Any) -> WebhookSecret:
    fields: dict[str, Any] = {
        "id": WebhookSecretId(an_id("whs")),
        "webhook_id": webhook.id,
        "org_id": webhook.org_id,
        "sealed": a_sealed(key_id),
        "created_at": NOW,
    }
    return WebhookSecret(**fields | changes)


def a_delivery(webhook: Webhook, **changes: Any) -> Delivery:
    fields: dict[str, Any] = {
        "id": DeliveryId(an_id("whd")),
        "webhook_id": webhook.id,
        "event_id": an_id("evt"),
        "type": "worker.spawned",
        "body": '{"why":"Ünïcode"}',
        "created_at": NOW,
        "next_attempt_at": NOW,
    }
    return Delivery(**fields | changes)


def an_entry(tenant: Tenant, **changes: Any) -> AuditEntry:
    fields: dict[str, Any] = {
        "id": an_id("evt"),
        "org_id": tenant.org_id,
        "at": NOW,
        "actor_kind": "user",
        "actor_id": "usr_1",
        "credential_id": "ses_1",
        "action": Action.WORKER_STOP,
        "target_id": "wkr_1",
        "request_id": "req",
        "detail": {"why": "Ünïcode"},
    }
    return AuditEntry(**fields | changes)


def an_event(org_id: OrgId, **changes: Any) -> Event:
    fields: dict[str, Any] = {
        "id": an_id("evt"),
        "org_id": org_id,
        "type": EventType.WORKER_STATE_CHANGED,
        "subject_id": "wkr_1",
        "data": {"state": "ready", "why": "Ünïcode"},
        "at": NOW,
        "request_id": "req",
    }
    return Event(**fields | changes)


def a_node(tenant: Tenant, **changes: Any) -> Node:
    """Connected, with room for four demands."""
    node_id = an_id("nod")
    fields: dict[str, Any] = {
        "id": NodeId(node_id),
        "org_id": tenant.org_id,
        "name": node_id,
        "labels": {"zone": "a"},
        "token_hash": b"\x00\xff",
        "created_at": NOW,
        "capacity": Capacity(cpu_millis=4000, memory_bytes=4 * 1024**3, max_worker_cpu_millis=4000),
        "epoch": 1,
        "connected": True,
        "connection_changed_at": NOW,
        "agent": Agent(
            version="1",
            instance_id="i",
            engine="docker",
            engine_version="20",
            posture={"rootless": True, "os": "linux"},
            commit="0123456789ab",
            labels={"disk": "ssd"},
            offers=Capacity(cpu_millis=4000, memory_bytes=4 * 1024**3, max_worker_cpu_millis=4000),
            machine=Machine(cpu_millis=1000, memory_bytes=4 * 1024**3),
            disk=Disk(total_bytes=4 * 1024**4, free_bytes=3 * 1024**4, reserve_bytes=0),
        ),
    }
    return Node(**fields | changes)


A_DEMAND = Demand(cpu_millis=1000, memory_bytes=1024**3)


def an_assignment(tenant: Tenant, node_id: NodeId, **changes: Any) -> Assignment:
    spec = WorkerSpec(
        org_id=tenant.org_id,
        image="image:1",
        made_in=1,
        power=Power.RUNNING,
        env={"A": "b"},
        cpu_millis=1000,
        memory_bytes=1024**3,
        pids=100,
    )
    fields: dict[str, Any] = {
        "kind": "worker",
        "subject_id": an_id("wkr"),
        "org_id": tenant.org_id,
        "node_id": node_id,
        "generation": 1,
        "wanted": Wanted.PRESENT,
        "spec": spec,
        "demand": A_DEMAND,
        "wanted_since": NOW,
        "cause": "request-1",
    }
    return Assignment(**fields | changes)


def a_project(tenant: Tenant, **changes: Any) -> Project:
    project_id = an_id("prj")
    environment = Environment(
        image="image:1",
        env={"A": "b"},
        cpu_millis=500,
        labels={"zone": "a"},
        post_create_command="make",
        secrets=("A",),
    )
    fields: dict[str, Any] = {
        "id": ProjectId(project_id),
        "org_id": tenant.org_id,
        "name": project_id,
        "creator_id": "usr_1",
        "description": "",
        "number": 1,
        "environment": environment,
        "created_at": NOW,
        "updated_at": NOW,
        "sharing": {3000: Sharing.ORG},
        "idle_timeout_seconds": 3600,
    }
    return Project(**fields | changes)


def a_version(project: Project, number: int = 1, **changes: Any) -> ProjectVersion:
    fields: dict[str, Any] = {
        "project_id": project.id,
        "org_id": project.org_id,
        "number": number,
        "environment": project.environment,
        "created_at": NOW,
        "made_by": "usr_1",
        "owner_id": "usr_1",
    }
    return ProjectVersion(**fields | changes)


def a_worker(project: Project, **changes: Any) -> Worker:
    worker_id = an_id("wkr")
    fields: dict[str, Any] = {
        "id": WorkerId(worker_id),
        "org_id": project.org_id,
        "project_id": project.id,
        "project_version": 1,
        "user_id": UserId("usr_1"),
        "api_key_id": None,
        "index": 1,
        "name": worker_id,
        "node_id": NodeId("nod_1"),
        "state": WorkerState.SPAWNING,
        "state_since": NOW,
        "deadline_at": LATER,
        "last_activity_at": NOW,
        "idle_timeout_seconds": 3600,
        "kept_until": LATER,
        "stop_reason": "idle",
        "created_at": NOW,
    }
    return Worker(**fields | changes)


async def organization_in(store: Store) -> Organization:
    organization = an_organization()
    async with store() as tx:
        await tx.organizations.add(organization)
        await tx.commit()
    return organization


async def project_in(store: Store, tenant: Tenant, **changes: Any) -> Project:
    project = a_project(tenant, **changes)
    async with store() as tx:
        await tx.projects.add(project)
        await tx.commit()
    return project


async def node_in(store: Store, tenant: Tenant, **changes: Any) -> Node:
    node = a_node(tenant, **changes)
    async with store() as tx:
        await tx.nodes.add(node)
        await tx.commit()
    return node
