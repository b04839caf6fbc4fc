"""Nodes over HTTP."""

from typing import Any

from pydantic import Field
from quart import Blueprint, Response

from spunto.core.access.model import Actor, OrgId
from spunto.core.nodes.inventory import Found, Inventory
from spunto.core.nodes.model import Agent, Node, NodeId, Problem
from spunto.core.nodes.service import NodeService, NodeWithToken
from spunto.entrypoints.http.install import cloud_init, install_command
from spunto.entrypoints.http.paging import asked_page, page_response
from spunto.entrypoints.http.projects import Labels
from spunto.entrypoints.http.requests import In, Name, Query, query, read, read_nothing
from spunto.entrypoints.http.responses import json_response, no_content
from spunto.entrypoints.security import PublicAddress


class NodeIn(In):
    name: Name
    labels: Labels = Field(default_factory=dict)


class DeleteQuery(Query):
    force: bool = False


def node_out(node: Node) -> dict[str, Any]:
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


def agent_out(agent: Agent) -> dict[str, Any]:
    return {
        "version": agent.version,
        "engine": agent.engine,
        "engineVersion": agent.engine_version,
        "engineError": problem_out(agent.engine_problem),
        "posture": dict(agent.posture),
    }


def problem_out(problem: Problem | None) -> dict[str, str] | None:
    return None if problem is None else {"code": problem.code, "message": problem.message}


def enrolment_out(made: NodeWithToken, address: PublicAddress) -> dict[str, Any]:
    """The one answer that shows the token."""
    return {
        "node": node_out(made.node),
        "token": made.token.reveal(),
        "installCommand": install_command(address, made.token),
        "cloudInit": cloud_init(address, made.token),
    }


def inventory_out(inventory: Inventory) -> dict[str, Any]:
    engine = inventory.engine
    return {
        "sampledAt": inventory.sampled_at,
        "engine": {"name": engine.name, "version": engine.version, "error": engine.error},
        "items": [found_out(found) for found in inventory.items],
    }


def found_out(found: Found) -> dict[str, Any]:
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


def nodes_blueprint(nodes: NodeService, address: PublicAddress) -> Blueprint:
    routes = Blueprint("nodes", __name__, url_prefix="/api/orgs/<org_id>/nodes")

    @routes.get("")
    async def list_all(actor: Actor, org_id: OrgId) -> Response:
        return page_response(await nodes.list(actor, org_id, asked_page("nod")), node_out)

    @routes.post("")
    async def create(actor: Actor, org_id: OrgId) -> Response:
        asked = await read(NodeIn)
        made = await nodes.create(actor, org_id, name=asked.name, labels=asked.labels)
        return json_response(enrolment_out(made, address), 201)

    @routes.get("/<node_id>")
    async def get(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        return json_response(node_out(await nodes.get(actor, org_id, node_id)))

    @routes.delete("/<node_id>")
    async def delete(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        await nodes.delete(actor, org_id, node_id, force=query(DeleteQuery).force)
        return no_content()

    @routes.post("/<node_id>/token")
    async def rotate_token(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        await read_nothing()
        return json_response(enrolment_out(await nodes.rotate_token(actor, org_id, node_id), address))

    @routes.post("/<node_id>/drain")
    async def drain(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        await read_nothing()
        return json_response(node_out(await nodes.drain(actor, org_id, node_id)))

    @routes.post("/<node_id>/undrain")
    async def undrain(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        await read_nothing()
        return json_response(node_out(await nodes.undrain(actor, org_id, node_id)))

    @routes.get("/<node_id>/inventory")
    async def inventory(actor: Actor, org_id: OrgId, node_id: NodeId) -> Response:
        return json_response(inventory_out(await nodes.inventory(actor, org_id, node_id)))

    return routes
