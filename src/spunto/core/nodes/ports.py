"""What the nodes slice needs from storage."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from spunto.core.access.model import OrgId, Tenant
from spunto.core.activity.events import EventFeed
from spunto.core.activity.model import AuditLog
from spunto.core.kernel.idempotency import IdempotencyRepository
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.reconcile import Schedule
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import Transaction
from spunto.core.nodes.assignment import Assignment, Tombstone
from spunto.core.nodes.listing import ALL, NodeFilter
from spunto.core.nodes.model import Demand, Node, NodeId, ReplicaId
from spunto.core.nodes.replica import Replica
from spunto.core.orgs.ports import OrganizationRepository


class NodeRepository(Protocol):
    """`update` writes all but the counters (`reserved`, `assignments`), which only `reserve` and `release` move."""

    async def add(self, node: Node) -> None:
        """Raises Conflict `node_name_taken` within the organization."""

    async def get(self, tenant: Tenant, node_id: NodeId) -> Node:
        """Raises NotFound `node_not_found`."""

    async def find(self, node_id: NodeId) -> Node | None:
        """For the node's own agent, which comes with a token instead of a tenant, and for reconcilers."""

    async def list(self, tenant: Tenant, page: PageRequest, matching: NodeFilter = ALL) -> Page[Node]: ...

    async def all_of(self, tenant: Tenant) -> Sequence[Node]:
        """Every node of the organization, oldest first: what placement chooses from."""

    async def update(self, node: Node) -> Node:
        """Raises StaleVersion. Answers the node with its new version."""

    async def remove(self, node: Node) -> None:
        """With its assignments and tombstones. Raises StaleVersion where it is gone or was changed."""

    async def remove_emptied(self, node_id: NodeId) -> bool:
        """Remove the node if it is being deleted and nothing is assigned to it any more; whether it did."""

    async def reserve(self, node_id: NodeId, demand: Demand) -> bool:
        """Add the demand to the node's counters if it is connected, not draining or quarantined, and has room; whether
        it did. Concurrent callers never overcommit."""

    async def reserve_again(self, node_id: NodeId, demand: Demand) -> bool:
        """The same for what stands on the node already: room is all that it takes."""

    async def release(self, node_id: NodeId, demand: Demand) -> None:
        """Give a reservation back."""

    async def reserve_least_loaded(
        self, org_id: OrgId, demand: Demand, *, requires: frozenset[str] = frozenset(), among: Sequence[NodeId] | None
    ) -> NodeId | None:
        """Choose by `scheduling.placement` and reserve in one step; None where no able node has room.

        `among` narrows the choice (labels, engine, a wish); None is every node of the organization.
        """

    async def epoch_of(self, node_id: NodeId) -> int | None:
        """The node's present epoch; None where there is no such node."""

    async def is_connected(self, node_id: NodeId) -> bool:
        """Whether it is, to whichever server process."""

    async def held_by(self, holder: ReplicaId) -> Mapping[NodeId, int]:
        """The nodes that are connected to that process, with their epochs."""

    async def abandoned(self, *, now: datetime, limit: int) -> Sequence[Node]:
        """Connected nodes whose holder has no lease any more, up to `limit`, by id."""


class AssignmentRepository(Protocol):
    async def add(self, assignment: Assignment) -> None:
        """Raises Conflict `assignment_exists` for the same kind and subject."""

    async def find(self, subject_id: str) -> Assignment | None: ...

    async def of_node(self, node_id: NodeId) -> Sequence[Assignment]:
        """All of the node's, by subject id."""

    async def of_subjects(self, subject_ids: Sequence[str]) -> Sequence[Assignment]: ...

    async def asked_since(self, holder: ReplicaId, *, since: datetime) -> Mapping[str, tuple[NodeId, int]]:
        """The subjects, on nodes which that process holds, of which something else is wanted since then; each with its
        node and its generation."""

    async def update(self, assignment: Assignment) -> Assignment:
        """Raises StaleVersion."""

    async def remove(self, assignment: Assignment, *, at: datetime) -> None:
        """Remove and leave a tombstone. Raises StaleVersion."""

    async def buried(self, node_id: NodeId, subject_ids: Sequence[str]) -> Mapping[str, Tombstone]:
        """The tombstones of the subjects on that node, by subject id: containers of theirs are to go."""


class ReplicaRepository(Protocol):
    """Leases of server processes. Where several machines share a database, its clock decides and not `now`."""

    async def renew(self, replica: Replica, *, now: datetime, for_seconds: float) -> None:
        """Take or extend the lease."""

    async def find(self, replica_id: ReplicaId, *, now: datetime) -> Replica | None:
        """The replica, while its lease lasts."""

    async def remove(self, replica_id: ReplicaId) -> None:
        """End the lease. Repeating is harmless."""

    async def prune(self, *, now: datetime) -> None:
        """Forget the replicas whose lease has run out."""


class SecretSource(Protocol):
    """Where the values come from that workers' specs only name."""

    async def values_of(
        self, org_id: OrgId, wanted: Mapping[str, Collection[str]]
    ) -> Mapping[str, Mapping[str, Secret]]:
        """The wanted names' values by subject id; names that a subject may not have are left out.

        A subject whose secrets can't be had now is left out as a whole.
        """


class NodesTransaction(Transaction, Protocol):
    @property
    def organizations(self) -> OrganizationRepository: ...
    @property
    def nodes(self) -> NodeRepository: ...
    @property
    def assignments(self) -> AssignmentRepository: ...
    @property
    def replicas(self) -> ReplicaRepository: ...
    @property
    def audit(self) -> AuditLog: ...
    @property
    def events(self) -> EventFeed: ...
    @property
    def idempotency(self) -> IdempotencyRepository: ...
    @property
    def due(self) -> Schedule: ...
