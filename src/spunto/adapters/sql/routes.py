"""Routes in SQL."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select

from spunto.adapters.sql.documents import sharing_from_json, sharing_to_json
from spunto.adapters.sql.paging import one_more
from spunto.adapters.sql.statements import AnyRow, Statements
from spunto.adapters.sql.tables.routes import applied_routes, routes
from spunto.adapters.sql.types import IdList, Instant, is_in
from spunto.adapters.sql.versioned import Versioned
from spunto.core.routes.desired import RouteState
from spunto.core.routes.model import Route, Standing

_BY_IDS = select(routes).where(is_in(routes.c.id, bindparam("ids", type_=IdList)))
_GENERATIONS = select(routes.c.id, routes.c.generation)
_CHANGED_SINCE = _GENERATIONS.where(routes.c.changed_at >= bindparam("since", type_=Instant))
_OLD = (
    select(routes.c.id)
    .where(routes.c.state == RouteState.GONE.value, routes.c.changed_at < bindparam("before", type_=Instant))
    .order_by(routes.c.id)
    .limit(one_more())
)
_PRUNE = delete(routes).where(routes.c.id.in_(_OLD))
_PRUNE_APPLIED = delete(applied_routes).where(applied_routes.c.subject_id.in_(_OLD))


class SqlRouteRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, route: Route) -> None:
        await _ROUTES.add(self._statements, route)

    async def find(self, subject_id: str) -> Route | None:
        return await _ROUTES.find(self._statements, subject_id)

    async def of_subjects(self, subject_ids: Collection[str]) -> Sequence[Route]:
        return [_route(row) for row in await self._statements.all(_BY_IDS, {"ids": list(subject_ids)})]

    async def update(self, route: Route) -> Route:
        return await _ROUTES.update(self._statements, route)

    async def generations(self, *, since: datetime | None = None) -> Mapping[str, int]:
        if since is None:
            rows = await self._statements.all(_GENERATIONS, {})
        else:
            rows = await self._statements.all(_CHANGED_SINCE, {"since": since})
        return {subject_id: generation for subject_id, generation in rows}  # noqa: C416 - rows are no pairs to mypy

    async def prune_gone(self, *, before: datetime, limit: int) -> int:
        """Also what edges had applied of them."""
        old = {"before": before, "limit": limit}
        await self._statements.change(_PRUNE_APPLIED, old)
        return await self._statements.change(_PRUNE, old)


def _columns(route: Route) -> dict[str, Any]:
    return {
        "id": route.id,
        "kind": route.kind,
        "org_id": route.org_id,
        "owner_id": route.owner_id,
        "index": route.index,
        "node_id": route.standing.node_id,
        "state": route.standing.state.value,
        "reason": route.standing.reason,
        "sharing": sharing_to_json(route.sharing),
        "changed_at": route.changed_at,
        "generation": route.generation,
        "version": route.version,
    }


def _route(row: AnyRow) -> Route:
    (
        subject_id,
        kind,
        org_id,
        owner_id,
        index,
        node_id,
        state,
        reason,
        sharing,
        changed_at,
        generation,
        version,
    ) = row
    return Route(
        id=subject_id,
        kind=kind,
        org_id=org_id,
        owner_id=owner_id,
        index=index,
        standing=Standing(state=RouteState(state), reason=reason, node_id=node_id),
        sharing=sharing_from_json(sharing),
        changed_at=changed_at,
        generation=generation,
        version=version,
    )


_ROUTES = Versioned(routes, kind="route", read=_route, write=_columns, fixed=["kind", "org_id", "owner_id", "index"])
