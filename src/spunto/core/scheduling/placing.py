"""Finds room for what is to stand on a node, of whatever kind, inside the transaction of who asks for it."""

from collections.abc import Sequence
from typing import Protocol

from spunto.core.access.model import Tenant
from spunto.core.kernel.errors import Conflict, Invalid
from spunto.core.nodes.model import Demand, NodeId
from spunto.core.nodes.ports import NodeRepository
from spunto.core.scheduling.placement import Request, matches, obstacle, shortage


class PlacingTransaction(Protocol):
    @property
    def nodes(self) -> NodeRepository: ...


async def place(tx: PlacingTransaction, tenant: Tenant, request: Request) -> NodeId:
    """Choose a node and reserve the demand on it.

    Raises Conflict `no_node_available`, and Invalid where the node that is asked for is not there.
    """
    among: Sequence[NodeId] | None = None
    if request.labels or request.node_id is not None:
        nodes = await tx.nodes.all_of(tenant)
        if request.node_id is not None and all(node.id != request.node_id for node in nodes):
            raise Invalid(
                "invalid_request",
                "There is no such node.",
                errors=[{"pointer": "/nodeId", "message": "There is no such node in the organization"}],
            )
        among = [node.id for node in nodes if matches(request, node)]
    node_id = await tx.nodes.reserve_least_loaded(tenant.org_id, request.demand, requires=request.requires, among=among)
    if node_id is None:
        raise await _no_node_available(tx, tenant, request)
    return node_id


async def take_room(tx: PlacingTransaction, tenant: Tenant, node_id: NodeId, demand: Demand) -> None:
    """Reserve the demand again on the node where the subject stands, whether or not it can be reached now.

    Raises Conflict `no_node_available` where it has no room any more.
    """
    if await tx.nodes.reserve_again(node_id, demand):
        return
    node = await tx.nodes.get(tenant, node_id)
    reason = shortage(demand, node)
    raise Conflict(
        "no_node_available",
        f"The node {node.name} {reason or 'was filled by somebody faster'}.",
        nodes=[{"nodeId": node.id, "name": node.name, "reason": reason}],
    )


async def _no_node_available(tx: PlacingTransaction, tenant: Tenant, request: Request) -> Conflict:
    """With `nodes: [{nodeId, name, reason}]`, the reason why each can't take it."""
    nodes = await tx.nodes.all_of(tenant)
    reasons = [{"nodeId": node.id, "name": node.name, "reason": obstacle(request, node)} for node in nodes]
    told = [f"{each['name']} {each['reason'] or 'was taken by somebody faster'}" for each in reasons]
    return Conflict(
        "no_node_available",
        f"No node can take the {request.what}: {'; '.join(told)}."
        if told
        else "The organization has no node yet; add one.",
        nodes=reasons,
    )
