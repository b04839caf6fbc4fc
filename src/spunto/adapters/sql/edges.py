"""Edges in SQL, and what they have applied."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite

from spunto.adapters.sql.statements import AnyRow, Statements
from spunto.adapters.sql.tables.routes import applied_routes, edges
from spunto.adapters.sql.types import Instant
from spunto.adapters.sql.versioned import Versioned
from spunto.core.routes.model import Edge, EdgeId

_ALL = select(edges).order_by(edges.c.id)
_RENEW = (
    update(edges)
    .where(edges.c.id == bindparam("edge_id"), edges.c.epoch == bindparam("of_epoch"))
    .values(seen_at=bindparam("at", type_=Instant), lease_until=bindparam("until", type_=Instant))
)
_REMOVE = delete(edges).where(edges.c.id == bindparam("edge_id"))
_APPLIED = select(applied_routes.c.subject_id, applied_routes.c.generation).where(
    applied_routes.c.edge_id == bindparam("edge_id")
)
_LACKING = (
    select(edges.c.id)
    .where(
        edges.c.lease_until > bindparam("now", type_=Instant),
        ~exists().where(
            applied_routes.c.edge_id == edges.c.id,
            applied_routes.c.subject_id == bindparam("subject_id"),
            applied_routes.c.generation >= bindparam("generation"),
        ),
    )
    .limit(1)
)


def _applying(dialect: str) -> Any:
    insert = sqlite.insert(applied_routes) if dialect == "sqlite" else postgresql.insert(applied_routes)
    return insert.on_conflict_do_update(
        index_elements=["edge_id", "subject_id"], set_={"generation": insert.excluded.generation}
    )


_APPLY = {dialect: _applying(dialect) for dialect in ("sqlite", "postgresql")}


class SqlEdgeRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, edge: Edge) -> None:
        await _EDGES.add(self._statements, edge)

    async def find(self, edge_id: EdgeId) -> Edge | None:
        return await _EDGES.find(self._statements, edge_id)

    async def all(self) -> Sequence[Edge]:
        return [_edge(row) for row in await self._statements.all(_ALL, {})]

    async def update(self, edge: Edge) -> Edge:
        return await _EDGES.update(self._statements, edge)

    async def renew(self, edge_id: EdgeId, *, epoch: int, at: datetime, until: datetime) -> bool:
        values = {"edge_id": edge_id, "of_epoch": epoch, "at": at, "until": until}
        return await self._statements.change(_RENEW, values) == 1

    async def remove(self, edge_id: EdgeId) -> bool:
        return await self._statements.change(_REMOVE, {"edge_id": edge_id}) == 1

    async def acknowledged(self, edge_id: EdgeId) -> Mapping[str, int]:
        rows = await self._statements.all(_APPLIED, {"edge_id": edge_id})
        return {subject_id: generation for subject_id, generation in rows}  # noqa: C416 - rows are no pairs to mypy

    async def acknowledge(self, edge_id: EdgeId, generations: Mapping[str, int]) -> None:
        rows = [
            {"edge_id": edge_id, "subject_id": subject_id, "generation": generation}
            for subject_id, generation in sorted(generations.items())
        ]
        if rows:
            await self._statements.change(_APPLY[self._statements.dialect], rows)

    async def is_applied(self, subject_id: str, generation: int, *, now: datetime) -> bool:
        asked = {"subject_id": subject_id, "generation": generation, "now": now}
        return not await self._statements.all(_LACKING, asked)


def _columns(edge: Edge) -> dict[str, Any]:
    return {
        "id": edge.id,
        "name": edge.name,
        "token_hash": edge.token_hash,
        "created_at": edge.created_at,
        "url": edge.url,
        "epoch": edge.epoch,
        "seen_at": edge.seen_at,
        "lease_until": edge.lease_until,
        "version": edge.version,
    }


def _edge(row: AnyRow) -> Edge:
    edge_id, name, token_hash, created_at, url, epoch, seen_at, lease_until, version = row
    return Edge(
        id=edge_id,
        name=name,
        token_hash=token_hash,
        created_at=created_at,
        url=url,
        epoch=epoch,
        seen_at=seen_at,
        lease_until=lease_until,
        version=version,
    )


_EDGES = Versioned(edges, kind="edge", read=_edge, write=_columns)
