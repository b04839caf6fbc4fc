"""Use cases of nodes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from spunto.core.access.model import Actor, OrgId, Tenant
from spunto.core.access.policy import Action
from spunto.core.activity.events import EventType
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict
from spunto.core.kernel.idempotency import IdempotencyKey, Once
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.nodes.inventory import Inventory, judge
from spunto.core.nodes.links import NodeLinks
from spunto.core.nodes.model import Node, NodeId
from spunto.core.nodes.ports import NodesTransaction
from spunto.core.nodes.reach import INVENTORY_STREAM, NodeReach
from spunto.core.nodes.replica import topic as replica_topic
from spunto.core.nodes.reports import known_of
from spunto.core.protocol.closing import FORBIDDEN
from spunto.core.specs.capabilities import of_stream
from spunto.core.specs.token import new_token, token_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeWithToken:
    """A node with the token that its agent signs in with, shown this once."""

    node: Node
    token: Secret


class NodeService:
    def __init__(
        self,
        uow: UnitOfWork[NodesTransaction],
        *,
        links: NodeLinks,
        reach: NodeReach,
        auditor: Auditor,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._uow = uow
        self._links = links
        self._reach = reach
        self._clock = clock
        self._ids = ids
        self._auditor = auditor

    @retried
    async def create(
        self,
        actor: Actor,
        org_id: OrgId,
        *,
        name: str,
        labels: Mapping[str, str] | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> NodeWithToken:
        """Enrol a node; it is `provisioning` until its agent connects.

        Raises Conflict `node_name_taken`, and `token_not_repeatable` for a repeat: the token is kept nowhere.
        """
        tenant = actor.require(Action.NODE_CREATE, org_id=org_id)
        now, scope = self._clock.now(), f"{org_id}/nodes"
        node_id = NodeId(self._ids.new("nod"))
        token = new_token(node_id)
        node = Node(
            id=node_id,
            org_id=org_id,
            name=name,
            labels=dict(labels or {}),
            token_hash=token_hash(token),
            created_at=now,
        )
        async with self._uow() as tx:
            await tx.organizations.hold(tenant)
            once = Once(tx.idempotency, scope, idempotency, now=now)
            await once.require_first()
            await tx.nodes.add(node)
            await self._auditor.record(tx, tenant, Action.NODE_CREATE, node.id, name=node.name)
            await once.makes(node.id)
            await tx.commit()
        return NodeWithToken(node=node, token=token)

    async def get(self, actor: Actor, org_id: OrgId, node_id: NodeId) -> Node:
        tenant = actor.require(Action.NODE_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            return await tx.nodes.get(tenant, node_id)

    async def list(self, actor: Actor, org_id: OrgId, page: PageRequest) -> Page[Node]:
        tenant = actor.require(Action.NODE_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            return await tx.nodes.list(tenant, page)

    @retried
    async def delete(self, actor: Actor, org_id: OrgId, node_id: NodeId, *, force: bool) -> None:
        """Forget the node and cut its agent off. Raises Conflict `node_not_empty` unless empty or forced.

        What stands on a node that was removed by force stays on that machine; its workers go to `error`.
        """
        tenant = actor.require(Action.NODE_DELETE, org_id=org_id)
        async with self._uow() as tx:
            node = await tx.nodes.get(tenant, node_id)
            held = await tx.assignments.of_node(node_id)
            if held and not force:
                raise Conflict(
                    "node_not_empty",
                    f"The node holds {len(held)} workers; destroy them first, or delete with ?force=true.",
                    id=node_id,
                )
            await tx.nodes.remove(tenant, node.id)
            for assignment in held:
                await tx.due.add(assignment.kind, assignment.subject_id, at=self._clock.now())
            detail = {"name": node.name, "force": str(force).lower()}
            await self._auditor.record(tx, tenant, Action.NODE_DELETE, node_id, **detail)
            _tell_holder(tx, node)
            await tx.commit()
        self._links.cut(node_id, code=FORBIDDEN, reason="node_deleted")

    @retried
    async def rotate_token(
        self, actor: Actor, org_id: OrgId, node_id: NodeId, *, idempotency: IdempotencyKey | None = None
    ) -> NodeWithToken:
        """Give the node a new token; the old one and the connection made with it end at once.

        Raises Conflict `token_not_repeatable` for a repeat: the token is kept nowhere.
        """
        tenant = actor.require(Action.NODE_ROTATE_TOKEN, org_id=org_id)
        token = new_token(node_id)
        async with self._uow() as tx:
            once = Once(tx.idempotency, f"{node_id}/token", idempotency, now=self._clock.now())
            await once.require_first()
            node = await tx.nodes.get(tenant, node_id)
            was_connected = node.connected
            _tell_holder(tx, node)
            node = await tx.nodes.update(node.with_token(token_hash(token), at=self._clock.now()))
            await self._auditor.record(tx, tenant, Action.NODE_ROTATE_TOKEN, node_id, name=node.name)
            if was_connected:
                await self._auditor.announce(tx, org_id, EventType.NODE_OFFLINE, node_id, data={})
            await once.makes(node_id)
            await tx.commit()
        self._links.cut(node_id, code=FORBIDDEN, reason="token_rotated")
        return NodeWithToken(node=node, token=token)

    async def drain(
        self, actor: Actor, org_id: OrgId, node_id: NodeId, *, idempotency: IdempotencyKey | None = None
    ) -> Node:
        """Place nothing more on the node; what stands there goes on. Repeating is harmless."""
        tenant = actor.require(Action.NODE_DRAIN, org_id=org_id)
        return await self._set_draining(tenant, node_id, Action.NODE_DRAIN, idempotency)

    async def undrain(
        self, actor: Actor, org_id: OrgId, node_id: NodeId, *, idempotency: IdempotencyKey | None = None
    ) -> Node:
        tenant = actor.require(Action.NODE_UNDRAIN, org_id=org_id)
        return await self._set_draining(tenant, node_id, Action.NODE_UNDRAIN, idempotency)

    async def inventory(self, actor: Actor, org_id: OrgId, node_id: NodeId) -> Inventory:
        """What the agent finds on its engine; of an agent too old to be asked, what it last listed.

        Raises Unavailable `node_offline` while it is not connected.
        """
        tenant = actor.require(Action.NODE_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            node = await tx.nodes.get(tenant, node_id)
        can_be_asked = of_stream(INVENTORY_STREAM) in node.capabilities
        reach = self._reach.ask_inventory if can_be_asked else self._reach.inventory
        listed = await reach(node.id)
        async with self._uow.reading() as tx:
            assigned, buried = await known_of(tx, node.id, listed)
        found = judge(listed.items, assigned=assigned, buried=buried.keys())
        return Inventory(sampled_at=listed.sampled_at, engine=listed.engine, items=found)

    @retried
    async def _set_draining(
        self, tenant: Tenant, node_id: NodeId, action: Action, idempotency: IdempotencyKey | None
    ) -> Node:
        async with self._uow() as tx:
            once = Once(tx.idempotency, f"{node_id}/{action.value}", idempotency, now=self._clock.now())
            made = await once.made()
            node = await tx.nodes.get(tenant, node_id)
            if made is not None:
                return node
            node = await tx.nodes.update(replace(node, draining=action is Action.NODE_DRAIN))
            await self._auditor.record(tx, tenant, action, node_id, name=node.name)
            await once.makes(node_id, node)
            await tx.commit()
        return node


def _tell_holder(tx: NodesTransaction, node: Node) -> None:
    """Whichever process has the node's connection is to cut it."""
    if node.holder is not None:
        tx.hint(replica_topic(node.holder))
