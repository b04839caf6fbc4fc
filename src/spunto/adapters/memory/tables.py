"""Everything that is kept in memory, committed."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from spunto.adapters.memory.activity import Feeds
from spunto.adapters.memory.nodes import Load
from spunto.adapters.memory.replicas import Lease
from spunto.core.access.api_keys import ApiKey
from spunto.core.access.model import ApiKeyId, OrgId, Session, SessionId, SignInCode, UserId
from spunto.core.activity.model import AuditEntry
from spunto.core.kernel.idempotency import Remembered
from spunto.core.nodes.assignment import Assignment, Tombstone
from spunto.core.nodes.model import Node, NodeId, ReplicaId
from spunto.core.orgs.devices import DeviceRequest
from spunto.core.orgs.invitation import Invitation, InvitationId
from spunto.core.orgs.model import Identity, Membership, Organization, User
from spunto.core.orgs.ssh_keys import SshKey, SshKeyId
from spunto.core.projects.model import Project, ProjectId, ProjectVersion
from spunto.core.routes.entry import EntryCode, LinkId, PortLink
from spunto.core.routes.model import Edge, EdgeId, Route
from spunto.core.secrets.model import Sealed, SecretId, StoredSecret
from spunto.core.webhooks.model import Delivery, DeliveryId, Webhook, WebhookId, WebhookSecret, WebhookSecretId
from spunto.core.workers.model import Worker, WorkerId


@dataclass(slots=True, kw_only=True)
class Tables:
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
    routes: dict[str, Route] = field(default_factory=dict)
    edges: dict[EdgeId, Edge] = field(default_factory=dict)
    applied: dict[tuple[EdgeId, str], int] = field(default_factory=dict)
    entry_codes: dict[bytes, EntryCode] = field(default_factory=dict)
    links: dict[LinkId, PortLink] = field(default_factory=dict)
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


# What an error calls a row; the other tables' errors are their repositories' own.
KINDS: Final = {
    "api_keys": "API key",
    "applied": "applied route",
    "assignments": "assignment",
    "audit": "audit entry",
    "canaries": "canary",
    "codes": "sign-in code",
    "deliveries": "delivery",
    "destroyed": "worker",
    "devices": "device code",
    "edges": "edge",
    "entry_codes": "entry code",
    "idempotency": "request",
    "identities": "identity",
    "indexes": "project",
    "invitations": "invitation",
    "leases": "replica",
    "links": "link",
    "loads": "node",
    "memberships": "membership",
    "names": "name",
    "nodes": "node",
    "organizations": "organization",
    "projects": "project",
    "routes": "route",
    "secrets": "secret",
    "sessions": "session",
    "ssh_keys": "SSH key",
    "tombstones": "tombstone",
    "users": "user",
    "versions": "project version",
    "webhook_secrets": "webhook secret",
    "webhooks": "webhook",
    "workers": "worker",
}
