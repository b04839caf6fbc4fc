"""Use cases of nodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from spunto.core.access.model import Actor, OrgId, Tenant
from spunto.core.access.policy import Action
from spunto.core.activity.events import EventType
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict
from spunto.core.kernel.idempotency import IdempotencyKey, Once
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.marks import require_marks
from spunto.core.kernel.names import require_name
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.preconditions import Precondition, require
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.nodes.assignment import Assignment
from spunto.core.nodes.changes import NodeChanges
from spunto.core.nodes.inventory import Inventory, judge
from spunto.core.nodes.links import NodeLinks
from spunto.core.nodes.listing import ALL, NodeFilter
from spunto.core.nodes.model import Node, NodeId
from spunto.core.nodes.ports import NodesTransaction
from spunto.core.nodes.reach import INVENTORY_STREAM, NodeReach
from spunto.core.nodes.replica import topic as replica_topic
from spunto.core.nodes.reports import known_of
from spunto.core.nodes.sync import topic
from spunto.core.protocol.closing import FORBIDDEN
from spunto.core.specs.capabilities import of_stream
from spunto.core.specs.token import new_token, token_hash

# So many of what is left on an abandoned node's machine are told by their ids.
_LEFT_TOLD = 100


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
        tags: tuple[str, ...] = (),
        metadata: Mapping[str, Any] | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> NodeWithToken:
        """Enrol a node; it is `provisioning` until its agent connects.

        Raises Conflict `node_name_taken`, and `token_not_repeatable` for a repeat: the token is kept nowhere; Invalid
        `name_invalid`, `tags_invalid`, `metadata_invalid`.
        """
        tenant = actor.require(Action.NODE_CREATE, org_id=org_id)
        require_name(name)
        require_marks(tags, metadata)
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
            tags=tags,
            metadata=dict(metadata or {}),
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

    async def list(self, actor: Actor, org_id: OrgId, page: PageRequest, matching: NodeFilter = ALL) -> Page[Node]:
        tenant = actor.require(Action.NODE_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            return await tx.nodes.list(tenant, page, matching)

    @retried
    async def update(
        self,
        actor: Actor,
        org_id: OrgId,
        node_id: NodeId,
        changes: NodeChanges,
        *,
        precondition: Precondition | None = None,
    ) -> Node:
        """Change what is the organization's own to say of the node.

        Raises Conflict `node_name_taken`, Invalid as `create` does, PreconditionFailed.
        """
        tenant = actor.require(Action.NODE_UPDATE, org_id=org_id)
        if changes.name is not None:
            require_name(changes.name)
        require_marks(changes.tags, changes.metadata)
        async with self._uow() as tx:
            before = await tx.nodes.get(tenant, node_id)
            require(precondition, before)
            after = changes.of(before)
            if after == before:
                return before
            node = await tx.nodes.update(after)
            await self._auditor.record(tx, tenant, Action.NODE_UPDATE, node_id, name=node.name)
            await tx.commit()
        return node

    @retried
    async def delete(
        self,
        actor: Actor,
        org_id: OrgId,
        node_id: NodeId,
        *,
        force: bool,
        precondition: Precondition | None = None,
    ) -> Node | None:
        """Have the node removed: at once where it holds nothing, and else, if forced, as soon as its agent has removed
        all of it. The node as it is until then; None where it is gone. Repeating is harmless.

        Raises Conflict `node_not_empty` unless empty or forced, PreconditionFailed.
        """
        tenant = actor.require(Action.NODE_DELETE, org_id=org_id)
        now = self._clock.now()
        async with self._uow() as tx:
            node = await tx.nodes.get(tenant, node_id)
            require(precondition, node)
            held = await tx.assignments.of_node(node_id)
            if held and not force:
                raise Conflict(
                    "node_not_empty",
                    f"The node still holds {_counted(held)}; destroy them first, or force the deletion.",
                    id=node_id,
                )
            if held:
                for each in held:
                    await tx.assignments.update(each.asking_absent(at=now, cause=actor.request_id))
                    await tx.due.add(each.kind, each.subject_id, at=now)
                node = await tx.nodes.update(node.being_deleted(at=now))
                detail = {"name": node.name, "holds": str(len(held))}
                await self._auditor.note(tx, tenant, Action.NODE_DELETE, node_id, **detail)
                await self._auditor.announce(
                    tx, org_id, EventType.NODE_DELETING, node_id, request_id=actor.request_id, data=detail
                )
                tx.hint(topic(node_id))
            else:
                await self._remove(tx, tenant, node, name=node.name)
            await tx.commit()
        if held:
            return node
        self._links.cut(node_id, code=FORBIDDEN, reason="node_deleted")
        return None

    @retried
    async def abandon(
        self, actor: Actor, org_id: OrgId, node_id: NodeId, *, precondition: Precondition | None = None
    ) -> Sequence[str]:
        """Forget a node whose machine never comes back, with what stands there; the ids of what may still stand there.

        Raises Conflict `node_connected` while its agent is: that one can remove everything; PreconditionFailed.
        """
        tenant = actor.require(Action.NODE_DELETE, org_id=org_id)
        async with self._uow() as tx:
            node = await tx.nodes.get(tenant, node_id)
            require(precondition, node)
            if node.connected:
                raise Conflict(
                    "node_connected",
                    "The node's agent is connected; force the deletion in place of abandoning the node.",
                    id=node_id,
                )
            left = [each.subject_id for each in await tx.assignments.of_node(node_id)]
            for subject in await tx.assignments.of_node(node_id):
                await tx.due.add(subject.kind, subject.subject_id, at=self._clock.now())
            told = " ".join(left[:_LEFT_TOLD])
            await self._remove(tx, tenant, node, name=node.name, abandoned=str(len(left)), left=told)
            await tx.commit()
        return left

    async def _remove(self, tx: NodesTransaction, tenant: Tenant, node: Node, **detail: str) -> None:
        await tx.nodes.remove(node)
        await self._auditor.record(tx, tenant, Action.NODE_DELETE, node.id, **detail)
        tx.hint(topic(node.id))
        _tell_holder(tx, node)

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
                said = {"reason": "token_rotated"}
                await self._auditor.announce(tx, org_id, EventType.NODE_OFFLINE, node_id, data=said)
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


def _counted(held: Sequence[Assignment]) -> str:
    return f"{len(held)} {'worker' if len(held) == 1 else 'workers'}"
