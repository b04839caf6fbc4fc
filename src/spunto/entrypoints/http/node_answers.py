"""Nodes as they are shown over HTTP."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

from spunto.core.access.model import OrgId
from spunto.core.kernel.build import this_build
from spunto.core.kernel.problem import Problem
from spunto.core.nodes.inventory import Found, Inventory, Standing
from spunto.core.nodes.model import Agent, Disk, Node, NodeId, NodeStatus
from spunto.core.nodes.service import NodeWithToken
from spunto.entrypoints.http.install import cloud_init, install_command, upgrade_command
from spunto.entrypoints.serving.security import PublicAddress


class ErrorOut(TypedDict):
    """What is wrong with a thing: `code` for programs, `message` for people, with a way out."""

    code: str
    message: str


class AgentOut(TypedDict):
    """What the node's agent said of itself and its engine; `engineError` while the engine is away. `outdated` where it
    is of another version or commit than this server; `labels` are those of the machine's own settings."""

    version: str
    commit: str
    outdated: bool
    labels: dict[str, str]
    capabilities: list[str]
    engine: str
    engineVersion: str
    engineError: ErrorOut | None
    posture: dict[str, str | bool]


class LimitsOut(TypedDict):
    cpus: float | None
    memoryBytes: int | None


class DiskOut(TypedDict):
    """The disk of the node's engine, told anew when it has changed by a percent. With less than `reserveBytes` free, or
    room for less than `reserveFiles`, the node takes no new workers. `totalFiles` is 0 where their number has no limit
    of its own."""

    totalBytes: int
    freeBytes: int
    reserveBytes: int
    totalFiles: int
    freeFiles: int
    reserveFiles: int


class NodeOut(TypedDict):
    """`cpus` and `memoryBytes` are what is given away to workers, null until the agent has connected once: what its
    settings offer, cpus more than once by its overcommit, within the `limits`. `machineCpus` and `machineMemoryBytes`
    are what the machine really has, null where its agent does not tell, and so is `disk`. `labels` outdo the agent's
    own in placement. `error` shuts the node out. `upgradeCommand`, run as root on its machine, puts this server's agent
    there; workers go on."""

    id: NodeId
    orgId: OrgId
    name: str
    status: NodeStatus
    connected: bool
    draining: bool
    deletingSince: datetime | None
    labels: dict[str, str]
    tags: list[str]
    metadata: Mapping[str, Any]
    cpus: float | None
    memoryBytes: int | None
    machineCpus: float | None
    machineMemoryBytes: int | None
    disk: DiskOut | None
    limits: LimitsOut
    reservedCpus: float
    reservedMemoryBytes: int
    workers: int
    agent: AgentOut | None
    error: ErrorOut | None
    upgradeCommand: str
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


def node_out(node: Node, address: PublicAddress) -> NodeOut:
    capacity, limits = node.capacity, node.limits
    machine = None if node.agent is None else node.agent.machine
    return {
        "id": node.id,
        "orgId": node.org_id,
        "name": node.name,
        "status": node.status,
        "connected": node.connected,
        "deletingSince": node.deleting_at,
        "draining": node.draining,
        "labels": dict(node.labels),
        "tags": list(node.tags),
        "metadata": node.metadata,
        "cpus": None if capacity is None else capacity.cpu_millis / 1000,
        "memoryBytes": None if capacity is None else capacity.memory_bytes,
        "machineCpus": None if machine is None else machine.cpu_millis / 1000,
        "machineMemoryBytes": None if machine is None else machine.memory_bytes,
        "disk": None if node.agent is None else disk_out(node.agent.disk),
        "limits": {
            "cpus": None if limits.cpu_millis is None else limits.cpu_millis / 1000,
            "memoryBytes": limits.memory_bytes,
        },
        "reservedCpus": node.reserved.cpu_millis / 1000,
        "reservedMemoryBytes": node.reserved.memory_bytes,
        "workers": node.assignments,
        "agent": None if node.agent is None else agent_out(node.agent),
        "error": problem_out(node.problem or node.engine_problem),
        "upgradeCommand": upgrade_command(address),
        "connectionChangedAt": node.connection_changed_at,
        "createdAt": node.created_at,
    }


def disk_out(disk: Disk | None) -> DiskOut | None:
    if disk is None:
        return None
    return {
        "totalBytes": disk.total_bytes,
        "freeBytes": disk.free_bytes,
        "reserveBytes": disk.reserve_bytes,
        "totalFiles": disk.total_files,
        "freeFiles": disk.free_files,
        "reserveFiles": disk.reserve_files,
    }


def agent_out(agent: Agent) -> AgentOut:
    build = this_build()
    return {
        "version": agent.version,
        "commit": agent.commit,
        "outdated": (agent.version, agent.commit) != (build.version, build.commit),
        "labels": dict(agent.labels),
        "capabilities": list(agent.capabilities),
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
        "node": node_out(made.node, address),
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
