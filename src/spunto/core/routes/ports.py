"""What the routes slice needs from storage."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from spunto.core.access.ports import GrantRepository, SessionRepository
from spunto.core.activity.events import EventFeed
from spunto.core.activity.model import AuditLog
from spunto.core.kernel.uow import Transaction
from spunto.core.routes.entry import EntryCode, LinkId, PortLink
from spunto.core.routes.model import Edge, EdgeId, Route


class RouteRepository(Protocol):
    """A route whose subject is gone stays for a while, so that edges are told."""

    async def add(self, route: Route) -> None: ...

    async def find(self, subject_id: str) -> Route | None: ...

    async def of_subjects(self, subject_ids: Collection[str]) -> Sequence[Route]:
        """Those of them that there are, in any order."""

    async def update(self, route: Route) -> Route:
        """Raises StaleVersion."""

    async def generations(self, *, since: datetime | None = None) -> Mapping[str, int]:
        """By the subject's id: of all routes, or of those that changed then or later."""

    async def prune_gone(self, *, before: datetime, limit: int) -> int:
        """Forget so many at most that are gone since before; how many."""


class EdgeRepository(Protocol):
    async def add(self, edge: Edge) -> None:
        """Raises Conflict `edge_name_taken`."""

    async def find(self, edge_id: EdgeId) -> Edge | None: ...

    async def all(self) -> Sequence[Edge]:
        """The oldest first; there are few."""

    async def update(self, edge: Edge) -> Edge:
        """Raises StaleVersion."""

    async def renew(self, edge_id: EdgeId, *, epoch: int, at: datetime, until: datetime) -> bool:
        """Extend the lease of this connection of the edge; False where there is a newer one, or no edge."""

    async def remove(self, edge_id: EdgeId) -> bool:
        """With what it has acknowledged; whether it was there."""

    async def acknowledged(self, edge_id: EdgeId) -> Mapping[str, int]:
        """The generation of each route that the edge has applied."""

    async def acknowledge(self, edge_id: EdgeId, generations: Mapping[str, int]) -> None:
        """Note what the edge has applied. What it had said of the same routes is overwritten."""

    async def is_applied(self, subject_id: str, generation: int, *, now: datetime) -> bool:
        """Whether every edge with a lease has applied this generation of the route, or a later one."""


class EntryCodeRepository(Protocol):
    async def add(self, code: EntryCode) -> None: ...

    async def take(self, code_hash: bytes, *, now: datetime) -> EntryCode | None:
        """Use the code up: of any number of callers at most one gets it, and none after its expiry.

        Also forgets all that have expired, so that what nobody came with doesn't pile up.
        """


class PortLinkRepository(Protocol):
    async def add(self, link: PortLink) -> None: ...

    async def of_port(self, subject_id: str, port: int, *, now: datetime) -> Sequence[PortLink]:
        """Those that have not ended, the newest first; there are few."""

    async def of_subject(self, subject_id: str, *, now: datetime) -> Sequence[PortLink]:
        """The same, of all its ports."""

    async def find_all(self, link_ids: Collection[LinkId]) -> Sequence[PortLink]:
        """Those of them that there are, in any order; also ended ones."""

    async def find_by_token(self, token_hash: bytes) -> PortLink | None:
        """Also an ended one."""

    async def remove(self, link_id: LinkId) -> bool:
        """Whether it was there."""


class RoutesTransaction(Transaction, Protocol):
    @property
    def sessions(self) -> SessionRepository: ...
    @property
    def grants(self) -> GrantRepository: ...
    @property
    def entry_codes(self) -> EntryCodeRepository: ...
    @property
    def links(self) -> PortLinkRepository: ...
    @property
    def audit(self) -> AuditLog: ...
    @property
    def events(self) -> EventFeed: ...
    @property
    def routes(self) -> RouteRepository: ...
    @property
    def edges(self) -> EdgeRepository: ...
