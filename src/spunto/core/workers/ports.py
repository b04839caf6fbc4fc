"""What the workers slice needs from storage."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from spunto.core.access.model import Tenant
from spunto.core.access.ports import GrantRepository
from spunto.core.activity.events import EventFeed
from spunto.core.activity.model import AuditLog
from spunto.core.kernel.idempotency import IdempotencyRepository
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.reconcile import Schedule
from spunto.core.kernel.uow import Transaction
from spunto.core.nodes.ports import AssignmentRepository, NodeRepository
from spunto.core.projects.model import ProjectId
from spunto.core.projects.ports import ProjectRepository
from spunto.core.routes.ports import EdgeRepository, PortLinkRepository, RouteRepository
from spunto.core.secrets.ports import SecretRepository
from spunto.core.workers.census import CensusTaker
from spunto.core.workers.listing import ALL, Listed, WorkerFilter
from spunto.core.workers.model import Worker, WorkerId


class WorkerRepository(Protocol):
    """Use cases write by `saving` alone, so that routes follow."""

    async def add(self, worker: Worker) -> None:
        """Raises Conflict `worker_name_taken` within the project."""

    async def get(self, tenant: Tenant, worker_id: WorkerId) -> Worker:
        """Raises NotFound `worker_not_found`."""

    async def find(self, worker_id: WorkerId) -> Worker | None:
        """For reconcilers and for sockets that name a worker without its organization."""

    async def list(
        self, tenant: Tenant, project_id: ProjectId | None, page: PageRequest, matching: WorkerFilter = ALL
    ) -> Page[Listed]:
        """Those of one project, none where it is not there, or those of all. One question, whatever is asked for."""

    async def of_ids(self, worker_ids: Collection[str]) -> Sequence[Worker]:
        """Those of them that there are, in any order."""

    async def update(self, worker: Worker) -> Worker:
        """Raises StaleVersion, Conflict `worker_name_taken`."""

    async def remove(self, worker: Worker) -> None:
        """Raises StaleVersion."""


class DestroyedWorkerRepository(Protocol):
    """What is told of workers that are gone; `state_since` is when they went. Their names are free."""

    async def add(self, worker: Worker) -> None:
        """In the transaction that removes it."""

    async def get(self, tenant: Tenant, worker_id: WorkerId) -> Worker:
        """Raises NotFound `worker_not_found`."""

    async def list(
        self, tenant: Tenant, project_id: ProjectId | None, page: PageRequest, matching: WorkerFilter = ALL
    ) -> Page[Worker]:
        """As for those that stand."""

    async def prune(self, *, before: datetime, limit: int) -> int:
        """Forget so many at most that went before; how many."""


class WorkersTransaction(Transaction, Protocol):
    @property
    def workers(self) -> WorkerRepository: ...
    @property
    def destroyed(self) -> DestroyedWorkerRepository: ...
    @property
    def secrets(self) -> SecretRepository: ...
    @property
    def grants(self) -> GrantRepository: ...
    @property
    def projects(self) -> ProjectRepository: ...
    @property
    def routes(self) -> RouteRepository: ...
    @property
    def edges(self) -> EdgeRepository: ...
    @property
    def links(self) -> PortLinkRepository: ...
    @property
    def nodes(self) -> NodeRepository: ...
    @property
    def assignments(self) -> AssignmentRepository: ...
    @property
    def audit(self) -> AuditLog: ...
    @property
    def events(self) -> EventFeed: ...
    @property
    def due(self) -> Schedule: ...
    @property
    def census(self) -> CensusTaker: ...
    @property
    def idempotency(self) -> IdempotencyRepository: ...
