"""Routes and edges in memory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from spunto.adapters.memory.rows import Draft, Table
from spunto.core.access.model import OrgId
from spunto.core.kernel.errors import Conflict, StaleVersion
from spunto.core.routes.model import Edge, EdgeId, Route


class MemoryRoutes:
    def __init__(self, routes: Table[str, Route], applied: Draft[tuple[EdgeId, str], int]) -> None:
        self._routes = routes
        self._applied = applied

    async def add(self, route: Route) -> None:
        if self._routes.get(route.id) is not None:
            raise StaleVersion("route", route.id)
        self._routes.put(route.id, route)

    async def find(self, subject_id: str) -> Route | None:
        return self._routes.get(subject_id)

    async def of_subjects(self, subject_ids: Collection[str]) -> Sequence[Route]:
        return [route for subject_id in subject_ids if (route := self._routes.get(subject_id)) is not None]

    async def update(self, route: Route) -> Route:
        return self._routes.update(route)

    async def generations(self, *, since: datetime | None = None) -> Mapping[str, int]:
        asked = (route for route in self._routes.values() if since is None or route.changed_at >= since)
        return {route.id: route.generation for route in asked}

    async def prune_gone(self, *, before: datetime, limit: int) -> int:
        old = [route.id for route in self._routes.values() if route.is_gone and route.changed_at < before][:limit]
        for subject_id in old:
            self._routes.drop(subject_id)
        for key in [each for each in self._applied if each[1] in old]:
            self._applied.drop(key)
        return len(old)

    def remove_of(self, org_id: OrgId) -> None:
        for route in [each for each in self._routes.values() if each.org_id == org_id]:
            self._routes.drop(route.id)


class MemoryEdges:
    def __init__(
        self,
        edges: Table[EdgeId, Edge],
        names: Draft[tuple[str, ...], str],
        applied: Draft[tuple[EdgeId, str], int],
    ) -> None:
        self._edges = edges
        self._names = names
        self._applied = applied

    async def add(self, edge: Edge) -> None:
        if self._names.get(("edge", edge.name)) is not None:
            raise Conflict("edge_name_taken", "There is an edge of this name already.")
        self._names.put(("edge", edge.name), edge.id)
        self._edges.put(edge.id, edge)

    async def find(self, edge_id: EdgeId) -> Edge | None:
        return self._edges.get(edge_id)

    async def all(self) -> Sequence[Edge]:
        return sorted(self._edges.values(), key=lambda edge: edge.id)

    async def update(self, edge: Edge) -> Edge:
        return self._edges.update(edge)

    async def renew(self, edge_id: EdgeId, *, epoch: int, at: datetime, until: datetime) -> bool:
        edge = self._edges.get(edge_id)
        if edge is None or edge.epoch != epoch:
            return False
        self._edges.put(edge_id, replace(edge, seen_at=at, lease_until=until))
        return True

    async def remove(self, edge_id: EdgeId) -> bool:
        edge = self._edges.get(edge_id)
        if edge is None:
            return False
        for key in [each for each in self._applied if each[0] == edge_id]:
            self._applied.drop(key)
        self._names.drop(("edge", edge.name))
        self._edges.drop(edge_id)
        return True

    async def acknowledged(self, edge_id: EdgeId) -> Mapping[str, int]:
        return {key[1]: self._applied.get(key) or 0 for key in self._applied if key[0] == edge_id}

    async def acknowledge(self, edge_id: EdgeId, generations: Mapping[str, int]) -> None:
        for subject_id, generation in generations.items():
            self._applied.put((edge_id, subject_id), generation)

    async def is_applied(self, subject_id: str, generation: int, *, now: datetime) -> bool:
        alive = [edge.id for edge in self._edges.values() if edge.is_alive(now)]
        return all((self._applied.get((edge_id, subject_id)) or 0) >= generation for edge_id in alive)
