"""Which node gets a thing: pure rules, the same that storage applies when it chooses and reserves in one step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from spunto.core.nodes.model import Demand, Node, NodeId, NodeStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be placed. `node_id` pins it; every one of `labels` must stand on the node with that value, and its
    agent must be able to do all that it `requires`.

    `what` names it to people.
    """

    demand: Demand
    labels: Mapping[str, str] = field(default_factory=dict)
    node_id: NodeId | None = None
    requires: frozenset[str] = frozenset()
    what: str = "worker"


def placement_for(request: Request, nodes: Sequence[Node]) -> NodeId | None:
    """The least-loaded node that fits; None where none does."""
    fitting = [node for node in nodes if obstacle(request, node) is None]
    return min(fitting, key=load_key).id if fitting else None


def load_key(node: Node) -> tuple[float, int, str]:
    """Sorts nodes: the scarcer of cpu and memory by its reserved share, then fewer workers, then the older node."""
    assert node.capacity is not None, "a node without capacity never fits"  # noqa: S101 - narrows for the type checker
    # A node may offer nothing of a kind, and still fit who asks for nothing of it.
    cpu = node.reserved.cpu_millis / max(1, node.capacity.cpu_millis)
    memory = node.reserved.memory_bytes / max(1, node.capacity.memory_bytes)
    return max(cpu, memory), node.assignments, node.id


def obstacle(request: Request, node: Node) -> str | None:
    """Why the node can't take the request, in a sentence for people; None where it can."""
    return _mismatch(request, node) or _unfitness(node) or _inability(request, node) or shortage(request.demand, node)


def matches(request: Request, node: Node) -> bool:
    """Whether the node is one that the request would accept, loads aside."""
    return _mismatch(request, node) is None


def _mismatch(request: Request, node: Node) -> str | None:
    if request.node_id is not None and request.node_id != node.id:
        return "another node was asked for"
    for name, value in sorted(request.labels.items()):
        if node.placing_labels.get(name) != value:
            return f"lacks the label {name}={value}"
    return None


def _unfitness(node: Node) -> str | None:
    if node.deleting_at is not None:
        return "is being deleted"
    if node.incompatible is not None:
        return f"has an agent that is not understood: {node.incompatible.message}"
    if node.quarantine is not None:
        return f"is quarantined: {node.quarantine.message}"
    if node.status is NodeStatus.PROVISIONING:
        return "never connected yet"
    if node.status is NodeStatus.OFFLINE:
        return "is offline"
    if node.draining:
        return "is draining"
    if node.agent is not None and node.agent.engine_problem is not None:
        return f"has no engine: {node.agent.engine_problem.message}"
    return None if node.agent is None or node.agent.disk is None else node.agent.disk.shortage


def _inability(request: Request, node: Node) -> str | None:
    missing = sorted(request.requires - node.capabilities)
    return f"has an agent that can't do {', '.join(missing)}; update it" if missing else None


def shortage(demand: Demand, node: Node) -> str | None:
    """What the node has too little of for the demand, in a sentence for people; None where there is room."""
    capacity = node.capacity
    if capacity is None:
        return "has not said what it offers"
    if demand.cpu_millis > capacity.max_worker_cpu_millis:
        return f"has {capacity.max_worker_cpu_millis / 1000:g} cpus, {demand.cpu_millis / 1000:g} asked"
    free_cpu = capacity.cpu_millis - node.reserved.cpu_millis
    if demand.cpu_millis > free_cpu:
        return (
            f"has {free_cpu / 1000:g} of {capacity.cpu_millis / 1000:g} cpus free, {demand.cpu_millis / 1000:g} asked"
        )
    free_memory = capacity.memory_bytes - node.reserved.memory_bytes
    if demand.memory_bytes > free_memory:
        return f"has {free_memory} of {capacity.memory_bytes} bytes of memory free, {demand.memory_bytes} asked"
    return None
