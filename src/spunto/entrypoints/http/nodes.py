"""Nodes over HTTP."""

from datetime import datetime

from pydantic import Field
from quart import Blueprint, Response
from typing_extensions import TypedDict

from spunto.core.access.model import Actor, OrgId
from spunto.core.kernel.problem import Problem
from spunto.core.nodes.inventory import Found, Inventory, Standing
from spunto.core.nodes.model import Agent, Node, NodeId, NodeStatus
from spunto.core.nodes.service import NodeService, NodeWithToken
from spunto.entrypoints.http.install import cloud_init, install_command
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.paging import PageQuery, asked_page, page_response
from spunto.entrypoints.http.projects import Labels
from spunto.entrypoints.http.requests import In, Name, Nothing, Query, idempotency_key, query, read, read_nothing
from spunto.entrypoints.http.responses import Reply, json_response, made, no_content
from spunto.entrypoints.serving.security import PublicAddress


class NodeIn(In):
    name: Name
    labels: Labels = Field(default_factory=dict)


class DeleteQuery(Query):
    force: bool = False


class ErrorOut(TypedDict):
    """What is wrong with a thing: `code` for programs, `message` for people, with a way out."""

    code: str
    message: str


class AgentOut(TypedDict):
    """What the node's agent said of itself and its engine; `engineError` while the engine is away."""

    version: str
    engine: str
    engineVersion: str
    engineError: ErrorOut | None
    posture: dict[str, str | bool]


class NodeOut(TypedDict):
    """`cpus` and `memoryBytes` are null until the agent has connected once; `error` shuts the node out."""

    id: NodeId
    orgId: OrgId
    name: str
    status: NodeStatus
    draining: bool
    labels: dict[str, str]
    cpus: float | None
    memoryBytes: int | None
    reservedCpus: float
    reservedMemoryBytes: int
    workers: int
    agent: AgentOut | None
    error: ErrorOut | None
    connectionChangedAt: datetime | None
    createdAt: datetime


class NodesOut(TypedDict):
    items: list[NodeOut]
    nextCursor: str | None


class EnrolmentOut(TypedDict):
    """How a server becomes this node. The token is shown here and never again."""

    node: NodeOut
    token: str
    installCommand: str
    cloudInit: str


class EngineOut(TypedDict):
    name: str
    version: str
    error: str | None


class FoundOut(TypedDict):
    """A container on the node: `orphan` is removed by the node, `quarantined` was never heard of and is left alone."""

    containerId: str
    name: str
    kind: str
    id: str
    generation: int
    dockerState: str
    known: Standing


class InventoryOut(TypedDict):
    sampledAt: datetime
    engine: EngineOut
    items: list[FoundOut]


def node_out(node: Node) -> NodeOut:
    capacity = node.capacity
    return {
        "id": node.id,
        "orgId": node.org_id,
        "name": node.name,
        "status": node.status,
        "draining": node.draining,
        "labels": dict(node.labels),
        "cpus": None if capacity is None else capacity.cpu_millis / 1000,
        "memoryBytes": None if capacity is None else capacity.memory_bytes,
        "reservedCpus": node.reserved.cpu_millis / 1000,
        "reservedMemoryBytes": node.reserved.memory_bytes,
        "workers": node.assignments,
        "agent": None if node.agent is None else agent_out(node.agent),
        "error": problem_out(node.quarantine),
        "connectionChangedAt": node.connection_changed_at,
        "createdAt": node.created_at,
    }


def agent_out(agent: Agent) -> AgentOut:
    return {
        "version": agent.version,
        "engine": agent.engine,
        "engineVersion": agent.engine_version,
        "engineError": problem_out(agent.engine_problem),
        "posture": dict(agent.posture),
    }


def problem_out(problem: Problem | None) -> ErrorOut | None:
    return None if problem is None else {"code": problem.code, "message": problem.message}


def enrolment_out(made: NodeWithToken, address: PublicAddress) -> EnrolmentOut:
    """The one answer that shows the token."""
    return {
        "node": node_out(made.node),
        "token": made.token.reveal(),
        "installCommand": install_command(address, made.token),
        "cloudInit": cloud_init(address, made.token),
    }


def inventory_out(inventory: Inventory) -> InventoryOut:
    engine = inventory.engine
    return {
        "sampledAt": inventory.sampled_at,
        "engine": {"name": engine.name, "version": engine.version, "error": engine.error},
        "items": [found_out(found) for found in inventory.items],
    }


def found_out(found: Found) -> FoundOut:
    item = found.item
    return {
        "containerId": item.container_id,
        "name": item.name,
        "kind": item.kind,
        "id": item.id,
        "generation": item.generation,
        "dockerState": item.docker_state,
        "known": found.known,
    }


def _changed(node: Node) -> Reply:
    return Reply(node_out(node))


def nodes_blueprint(nodes: NodeService, address: PublicAddress) -> Blueprint:
    routes = Blueprint("nodes", __name__, url_prefix="/api/orgs/<org_id>/nodes")

    @routes.get("")
    @operation("List the nodes", query=PageQuery, answers={200: NodesOut})
    async def list_all(actor: Actor, org_id: OrgId) -> Response:
        return page_response(await nodes.list(actor, org_id, asked_page("nod")), node_out)

    @routes.post("")
    @operation(
        "Create a node, and get the command that makes a server into it",
        body=NodeIn,
        answers={201: EnrolmentOut},
        errors=("node_name_taken", "token_not_repeatable"),
        idempotent=True,
    )
    async def create(actor: Actor, org_id: OrgId) -> Response:
        asked = await read(NodeIn)
        new = await nodes.create(
            actor, org_id, name=asked.name, labels=asked.labels, idempotency=await idempotency_key(actor)
        )
        return made(enrolment_out(new, address), at=f"/api/orgs/{org_id}/nodes/{new.node.id}")

    @routes.get("/<node_id>")
    @operation("Get a node", answers={200: NodeOut})
    async def get(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        return json_response(node_out(await nodes.get(actor, org_id, node_id)))

    @routes.delete("/<node_id>")
    @operation(
        "Delete a node",
        description="A node that holds anything is deleted only with `force`; its agent then removes what it holds.",
        query=DeleteQuery,
        answers={204: None},
        errors=("node_not_empty",),
    )
    async def delete(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        await nodes.delete(actor, org_id, node_id, force=query(DeleteQuery).force)
        return no_content()

    @routes.post("/<node_id>/token")
    @operation(
        "Rotate a node's token",
        description="The connection made with the old token is cut at once, and a quarantine ends.",
        body=Nothing,
        answers={200: EnrolmentOut},
        errors=("token_not_repeatable",),
        idempotent=True,
        operation_id="rotateNodeToken",
    )
    async def rotate_token(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        await read_nothing()
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
        return _changed(
            await nodes.drain(actor, org_id, node_id, idempotency=await idempotency_key(actor, _changed))
        ).response()

    @routes.post("/<node_id>/undrain")
    @operation("Let a node take new work again", body=Nothing, answers={200: NodeOut}, idempotent=True)
    async def undrain(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        await read_nothing()
        return _changed(
            await nodes.undrain(actor, org_id, node_id, idempotency=await idempotency_key(actor, _changed))
        ).response()

    @routes.get("/<node_id>/inventory")
    @operation("See what is on a node's engine now", answers={200: InventoryOut}, errors=("node_offline",))
    async def inventory(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        return json_response(inventory_out(await nodes.inventory(actor, org_id, node_id)))

    return routes
