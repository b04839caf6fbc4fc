"""Nodes over HTTP."""

from contextlib import suppress
from typing import Annotated

from pydantic import Field
from quart import Blueprint, Response, request

from spunto.core.access.model import Actor, OrgId
from spunto.core.kernel.errors import NotFound
from spunto.core.nodes.changes import LimitChanges, NodeChanges
from spunto.core.nodes.listing import NodeFilter
from spunto.core.nodes.model import TRANSIENT, Node, NodeId, NodeStatus
from spunto.core.nodes.service import NodeService
from spunto.core.nodes.waiting import NodeWaits
from spunto.entrypoints.http.errors import invalid_fields
from spunto.entrypoints.http.node_answers import (
    EnrolmentOut,
    InventoryOut,
    NodeOut,
    NodesOut,
    enrolment_out,
    inventory_out,
    node_out,
)
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.paging import SortedQuery, asked_page_of, page_response
from spunto.entrypoints.http.preconditions import precondition, tagged
from spunto.entrypoints.http.project_questions import Labels
from spunto.entrypoints.http.requests import (
    In,
    Metadata,
    Name,
    Nothing,
    Query,
    Tag,
    Tags,
    WaitSeconds,
    idempotency_key,
    query,
    read,
    read_nothing,
)
from spunto.entrypoints.http.responses import Reply, json_response, made, no_content
from spunto.entrypoints.serving.security import PublicAddress

NodeCpus = Annotated[float, Field(gt=0, le=4096)]


class NodeIn(In):
    name: Name
    labels: Labels = Field(default_factory=dict)
    tags: Tags = Field(default_factory=list)
    metadata: Metadata = Field(default_factory=dict)


class LimitsIn(In):
    """What is given away of the node at most; null is as much as its agent offers."""

    cpus: NodeCpus | None = None
    memory_bytes: Annotated[int, Field(ge=1, le=2**53 - 1)] | None = None


class NodePatchIn(In):
    """A merge patch: what is absent stays. `labels`, `tags` and `metadata` are replaced whole; null takes all of them,
    or all limits, away."""

    name: Name | None = None
    labels: Labels | None = None
    limits: LimitsIn | None = None
    tags: Tags | None = None
    metadata: Metadata | None = None

    def changes(self) -> NodeChanges:
        """Raises Invalid for a null that nothing can stand for."""
        given = self.model_fields_set
        if "name" in given and self.name is None:
            raise invalid_fields([{"pointer": "/name", "message": "Can't be cleared"}])
        return NodeChanges(
            name=self.name,
            labels=(self.labels or {}) if "labels" in given else None,
            limits=_limits(self.limits) if "limits" in given else None,
            tags=tuple(self.tags or ()) if "tags" in given else None,
            metadata=(self.metadata or {}) if "metadata" in given else None,
        )


def _limits(asked: LimitsIn | None) -> LimitChanges:
    if asked is None:
        return {"cpu_millis": None, "memory_bytes": None}
    changes: LimitChanges = {}
    if "cpus" in asked.model_fields_set:
        changes["cpu_millis"] = None if asked.cpus is None else round(asked.cpus * 1000)
    if "memory_bytes" in asked.model_fields_set:
        changes["memory_bytes"] = asked.memory_bytes
    return changes


class NodesQuery(SortedQuery):
    """Nodes that are all of what is asked for."""

    status: NodeStatus | None = None
    name: Name | None = None
    tag: Tag | None = None

    def matching(self) -> NodeFilter:
        return NodeFilter(status=self.status, name=self.name, tag=self.tag)


class NodeWaitQuery(Query):
    """`wait` holds the answer back until the node has connected once, or is gone, for that many seconds at most."""

    wait: WaitSeconds = 0


class DeleteQuery(NodeWaitQuery):
    """`force` also where it holds workers; `abandon` where its machine never comes back."""

    force: bool = False
    abandon: bool = False


def nodes_blueprint(nodes: NodeService, waits: NodeWaits, address: PublicAddress) -> Blueprint:
    routes = Blueprint("nodes", __name__, url_prefix="/api/orgs/<org_id>/nodes")

    def shown(node: Node) -> NodeOut:
        return node_out(node, address)

    @routes.get("")
    @operation("List the nodes", query=NodesQuery, answers={200: NodesOut})
    async def list_all(actor: Actor, org_id: OrgId) -> Response:
        asked = query(NodesQuery)
        page = asked_page_of(asked, "nod", order=asked.sort)
        return page_response(await nodes.list(actor, org_id, page, asked.matching()), shown)

    @routes.post("")
    @operation(
        "Create a node, and get the command that makes a server into it",
        body=NodeIn,
        answers={201: EnrolmentOut},
        errors=("node_name_taken", "token_not_repeatable", "public_url_missing"),
        idempotent=True,
    )
    async def create(actor: Actor, org_id: OrgId) -> Response:
        asked = await read(NodeIn)
        address.require_known()
        new = await nodes.create(
            actor,
            org_id,
            name=asked.name,
            labels=asked.labels,
            tags=tuple(asked.tags),
            metadata=asked.metadata,
            idempotency=await idempotency_key(actor),
        )
        return made(enrolment_out(new, address), at=f"/api/orgs/{org_id}/nodes/{new.node.id}")

    @routes.get("/<node_id>")
    @operation(
        "Get a node",
        description="With `wait`, as it is when it is `provisioning` or `deleting` no more, or when the time is over; "
        "404 when it is gone.",
        query=NodeWaitQuery,
        answers={200: NodeOut},
        tagged=True,
    )
    async def get(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        seconds = query(NodeWaitQuery).wait if request.query_string else 0
        node = await nodes.get(actor, org_id, node_id)
        if seconds and node.status in TRANSIENT:
            await waits.settled(node_id, max_seconds=seconds)
            node = await nodes.get(actor, org_id, node_id)
        return tagged(shown(node))

    @routes.patch("/<node_id>")
    @operation(
        "Change a node's name, labels, limits, tags or metadata",
        body=NodePatchIn,
        answers={200: NodeOut},
        errors=("node_name_taken",),
        tagged=True,
    )
    async def update(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        asked = await read(NodePatchIn)
        changed = await nodes.update(actor, org_id, node_id, asked.changes(), precondition=precondition(shown))
        return tagged(shown(changed))

    @routes.delete("/<node_id>")
    @operation(
        "Delete a node",
        description="An empty node is gone at once (204). One that holds anything is deleted only with `force`: it "
        "stays `deleting` (202) until its agent has removed everything, which happens when it is back if it is away; "
        "with `wait` 204 if it is gone in that time. "
        "`abandon` forgets a node whose machine never comes back, with what may still stand there.",
        query=DeleteQuery,
        answers={202: NodeOut, 204: None},
        errors=("node_not_empty", "node_connected"),
        tagged=True,
    )
    async def delete(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        asked = query(DeleteQuery)
        if asked.abandon:
            await nodes.abandon(actor, org_id, node_id, precondition=precondition(shown))
            return no_content()
        node = await nodes.delete(actor, org_id, node_id, force=asked.force, precondition=precondition(shown))
        if node is not None and asked.wait:
            await waits.settled(node_id, max_seconds=asked.wait)
            with suppress(NotFound):
                return json_response(shown(await nodes.get(actor, org_id, node_id)), 202)
            return no_content()
        return no_content() if node is None else json_response(shown(node), 202)

    _add_actions(routes, nodes, address)
    return routes


def _add_actions(routes: Blueprint, nodes: NodeService, address: PublicAddress) -> None:
    def changed(node: Node) -> Reply:
        return Reply(node_out(node, address))

    @routes.post("/<node_id>/token")
    @operation(
        "Rotate a node's token",
        description="The connection made with the old token is cut at once, and a quarantine ends.",
        body=Nothing,
        answers={200: EnrolmentOut},
        errors=("token_not_repeatable", "public_url_missing"),
        idempotent=True,
        operation_id="rotateNodeToken",
    )
    async def rotate_token(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        await read_nothing()
        address.require_known()
        rotated = await nodes.rotate_token(actor, org_id, node_id, idempotency=await idempotency_key(actor))
        return json_response(enrolment_out(rotated, address))

    @routes.post("/<node_id>/drain")
    @operation(
        "Give a node nothing new",
        description="What is on it goes on.",
        body=Nothing,
        answers={200: NodeOut},
        idempotent=True,
    )
    async def drain(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        await read_nothing()
        return changed(
            await nodes.drain(actor, org_id, node_id, idempotency=await idempotency_key(actor, changed))
        ).response()

    @routes.post("/<node_id>/undrain")
    @operation("Let a node take new work again", body=Nothing, answers={200: NodeOut}, idempotent=True)
    async def undrain(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        await read_nothing()
        return changed(
            await nodes.undrain(actor, org_id, node_id, idempotency=await idempotency_key(actor, changed))
        ).response()

    @routes.get("/<node_id>/inventory")
    @operation(
        "See what is on a node's engine now", answers={200: InventoryOut}, errors=("node_offline", "agent_incompatible")
    )
    async def inventory(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        return json_response(inventory_out(await nodes.inventory(actor, org_id, node_id)))
