"""Nodes, their reservations and their assignments in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from spunto.adapters.memory.paging import page_of
from spunto.adapters.memory.replicas import Lease
from spunto.adapters.memory.rows import Draft
from spunto.core.access.model import OrgId, Tenant
from spunto.core.kernel.errors import Conflict, NotFound, StaleVersion
from spunto.core.kernel.matching import fits
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.nodes.assignment import Assignment, Tombstone
from spunto.core.nodes.listing import ALL, NodeFilter
from spunto.core.nodes.model import Demand, Node, NodeId, ReplicaId
from spunto.core.scheduling.placement import Request, obstacle, placement_for, shortage


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A node's counters. They are a row of their own, so that moving them does not disturb who updates the node."""

    reserved: Demand
    assignments: int

    def plus(self, demand: Demand, *, assignments: int) -> "Load":
        return Load(
            reserved=Demand(
                cpu_millis=self.reserved.cpu_millis + demand.cpu_millis,
                memory_bytes=self.reserved.memory_bytes + demand.memory_bytes,
            ),
            assignments=self.assignments + assignments,
        )


class MemoryNodes:
    def __init__(
        self,
        nodes: Draft[NodeId, Node],
        loads: Draft[NodeId, Load],
        names: Draft[tuple[str, ...], str],
        assignments: Draft[str, Assignment],
        tombstones: Draft[tuple[NodeId, str], Tombstone],
        leases: Draft[ReplicaId, Lease],
    ) -> None:
        self._nodes = nodes
        self._leases = leases
        self._loads = loads
        self._names = names
        self._assignments = assignments
        self._tombstones = tombstones

    async def add(self, node: Node) -> None:
        self._claim_name(node)
        self._nodes.put(node.id, node)
        self._loads.put(node.id, Load(reserved=node.reserved, assignments=node.assignments))

    async def get(self, tenant: Tenant, node_id: NodeId) -> Node:
        node = await self.find(node_id)
        if node is None or node.org_id != tenant.org_id:
            raise NotFound("node_not_found", f"There is no node {node_id!r}.", id=node_id)
        return node

    async def find(self, node_id: NodeId) -> Node | None:
        node = self._nodes.get(node_id)
        return None if node is None else self._loaded(node)

    async def list(self, tenant: Tenant, page: PageRequest, matching: NodeFilter = ALL) -> Page[Node]:
        own = (node for node in await self.all_of(tenant) if fits(node, matching))
        return page_of(own, page, id_of=lambda node: node.id)

    async def all_of(self, tenant: Tenant) -> Sequence[Node]:
        return self._of(tenant.org_id)

    async def update(self, node: Node) -> Node:
        before = self._current(node)
        if before.name != node.name:
            self._claim_name(node)
            self._names.drop(("node", before.org_id, before.name))
        after = replace(node, version=node.version + 1)
        self._nodes.put(node.id, after)
        return after

    async def remove(self, node: Node) -> None:
        self._remove(self._current(node))

    def _current(self, node: Node) -> Node:
        before = self._nodes.get(node.id)
        if before is None or before.version != node.version:
            raise StaleVersion("node", node.id)
        return before

    def _remove(self, node: Node) -> None:
        node_id = node.id
        for assignment in [held for held in self._assignments.values() if held.node_id == node_id]:
            self._assignments.drop(assignment.subject_id)
        for key in [key for key in self._tombstones if key[0] == node_id]:
            self._tombstones.drop(key)
        self._names.drop(("node", node.org_id, node.name))
        self._loads.drop(node_id)
        self._nodes.drop(node_id)

    async def remove_emptied(self, node_id: NodeId) -> bool:
        node = self._nodes.get(node_id)
        if node is None or node.deleting_at is None or any(a.node_id == node_id for a in self._assignments.values()):
            return False
        self._remove(node)
        return True

    async def reserve_again(self, node_id: NodeId, demand: Demand) -> bool:
        node = await self.find(node_id)
        if node is None or shortage(demand, node) is not None:
            return False
        self._move(node_id, demand, assignments=1)
        return True

    async def reserve(self, node_id: NodeId, demand: Demand) -> bool:
        node = await self.find(node_id)
        if node is None or obstacle(Request(demand=demand), node) is not None:
            return False
        self._move(node_id, demand, assignments=1)
        return True

    async def release(self, node_id: NodeId, demand: Demand) -> None:
        if self._loads.get(node_id) is not None:
            negative = Demand(cpu_millis=-demand.cpu_millis, memory_bytes=-demand.memory_bytes)
            self._move(node_id, negative, assignments=-1)

    async def reserve_least_loaded(
        self, org_id: OrgId, demand: Demand, *, requires: frozenset[str] = frozenset(), among: Sequence[NodeId] | None
    ) -> NodeId | None:
        nodes = [node for node in self._of(org_id) if among is None or node.id in among]
        chosen = placement_for(Request(demand=demand, requires=requires), nodes)
        if chosen is not None:
            self._move(chosen, demand, assignments=1)
        return chosen

    async def epoch_of(self, node_id: NodeId) -> int | None:
        node = self._nodes.get(node_id)
        return None if node is None else node.epoch

    async def is_connected(self, node_id: NodeId) -> bool:
        node = self._nodes.get(node_id)
        return node is not None and node.connected

    async def held_by(self, holder: ReplicaId) -> Mapping[NodeId, int]:
        return {node.id: node.epoch for node in self._nodes.values() if node.holder == holder and node.connected}

    async def abandoned(self, *, now: datetime, limit: int) -> Sequence[Node]:
        lost = (node for node in self._nodes.values() if node.connected and not self._is_held(node, now))
        return [self._loaded(node) for node in sorted(lost, key=lambda node: node.id)[:limit]]

    def _is_held(self, node: Node, now: datetime) -> bool:
        lease = None if node.holder is None else self._leases.get(node.holder)
        return lease is not None and lease.until > now

    def _of(self, org_id: OrgId) -> Sequence[Node]:
        own = (self._loaded(node) for node in self._nodes.values() if node.org_id == org_id)
        return sorted(own, key=lambda node: node.id)

    def _loaded(self, node: Node) -> Node:
        load = self._loads.get(node.id)
        return node if load is None else replace(node, reserved=load.reserved, assignments=load.assignments)

    def _move(self, node_id: NodeId, demand: Demand, *, assignments: int) -> None:
        load = self._loads.get(node_id)
        if load is not None:
            self._loads.put(node_id, load.plus(demand, assignments=assignments))

    def _claim_name(self, node: Node) -> None:
        key = ("node", node.org_id, node.name)
        if self._names.get(key) is not None:
            raise Conflict("node_name_taken", f"The organization has a node named {node.name!r} already.")
        self._names.put(key, node.id)


class MemoryAssignments:
    def __init__(
        self,
        assignments: Draft[str, Assignment],
        tombstones: Draft[tuple[NodeId, str], Tombstone],
        nodes: Draft[NodeId, Node],
    ) -> None:
        self._assignments = assignments
        self._tombstones = tombstones
        self._nodes = nodes

    async def add(self, assignment: Assignment) -> None:
        if self._assignments.get(assignment.subject_id) is not None:
            raise Conflict("assignment_exists", "This stands on a node already.", id=assignment.subject_id)
        self._assignments.put(assignment.subject_id, assignment)

    async def find(self, subject_id: str) -> Assignment | None:
        return self._assignments.get(subject_id)

    async def of_node(self, node_id: NodeId) -> Sequence[Assignment]:
        own = (assignment for assignment in self._assignments.values() if assignment.node_id == node_id)
        return sorted(own, key=lambda assignment: assignment.subject_id)

    async def of_subjects(self, subject_ids: Sequence[str]) -> Sequence[Assignment]:
        found = (self._assignments.get(subject_id) for subject_id in sorted(set(subject_ids)))
        return [assignment for assignment in found if assignment is not None]

    async def asked_since(self, holder: ReplicaId, *, since: datetime) -> Mapping[str, tuple[NodeId, int]]:
        return {
            each.subject_id: (each.node_id, each.generation)
            for each in self._assignments.values()
            if each.wanted_since > since
            and (node := self._nodes.get(each.node_id)) is not None
            and node.holder == holder
        }

    async def update(self, assignment: Assignment) -> Assignment:
        self._require_current(assignment)
        after = replace(assignment, version=assignment.version + 1)
        self._assignments.put(assignment.subject_id, after)
        return after

    async def remove(self, assignment: Assignment, *, at: datetime) -> None:
        self._require_current(assignment)
        self._assignments.drop(assignment.subject_id)
        stone = Tombstone(kind=assignment.kind, generation=assignment.generation, cause=assignment.cause)
        self._tombstones.put((assignment.node_id, assignment.subject_id), stone)

    async def buried(self, node_id: NodeId, subject_ids: Sequence[str]) -> Mapping[str, Tombstone]:
        stones = ((subject_id, self._tombstones.get((node_id, subject_id))) for subject_id in subject_ids)
        return {subject_id: stone for subject_id, stone in stones if stone is not None}

    def _require_current(self, assignment: Assignment) -> None:
        before = self._assignments.get(assignment.subject_id)
        if before is None or before.version != assignment.version:
            raise StaleVersion("assignment", assignment.subject_id)
