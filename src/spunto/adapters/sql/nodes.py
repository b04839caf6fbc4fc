"""Nodes and their reservations in SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    Select,
    Text,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from spunto.adapters.sql.documents import (
    agent_from_json,
    agent_to_json,
    limits_from_json,
    limits_to_json,
    problem_from_json,
    problem_to_json,
    supersessions_from_json,
    supersessions_to_json,
)
from spunto.adapters.sql.narrowing import asked, tags_from_text, tags_to_text
from spunto.adapters.sql.node_listing import COLUMNS, listing
from spunto.adapters.sql.paging import page_of, window
from spunto.adapters.sql.replicas import has_lease
from spunto.adapters.sql.statements import AnyRow, Statements, first
from spunto.adapters.sql.tables.nodes import assignments, nodes, replicas
from spunto.adapters.sql.types import IdList, is_in
from spunto.core.access.model import OrgId, Tenant
from spunto.core.kernel.errors import NotFound, StaleVersion
from spunto.core.kernel.matching import said_by
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.nodes.listing import ALL, NodeFilter
from spunto.core.nodes.model import Capacity, Demand, Node, NodeId, ReplicaId
from spunto.core.scheduling.placement import Request, load_key, obstacle

_NOTHING = Demand(cpu_millis=0, memory_bytes=0)


def _load(
    *,
    reserved_cpu: ColumnElement[Any],
    reserved_memory: ColumnElement[Any],
    cpu: ColumnElement[Any],
    memory: ColumnElement[Any],
) -> ColumnElement[Any]:
    """The share of `scheduling.placement.load_key`."""
    cpu_share = cast(reserved_cpu, Double) / func.nullif(cpu, 0)
    memory_share = cast(reserved_memory, Double) / func.nullif(memory, 0)
    return case((cpu_share >= memory_share, cpu_share), else_=memory_share)


def _moving(sign: int) -> dict[str, ColumnElement[Any]]:
    cpu = nodes.c.reserved_cpu_millis + sign * bindparam("demanded_cpu", type_=BigInteger)
    memory = nodes.c.reserved_memory_bytes + sign * bindparam("demanded_memory", type_=BigInteger)
    return {
        "reserved_cpu_millis": cpu,
        "reserved_memory_bytes": memory,
        "assignments": nodes.c.assignments + sign,
        "load": _load(reserved_cpu=cpu, reserved_memory=memory, cpu=nodes.c.cpu_millis, memory=nodes.c.memory_bytes),
    }


_IN_TENANT = nodes.c.org_id == bindparam("org_id")
_ADD = insert(nodes)
_FIND = select(*COLUMNS).where(nodes.c.id == bindparam("node_id"))
_GET = _FIND.where(_IN_TENANT)
_ALL = select(*COLUMNS).where(_IN_TENANT).order_by(nodes.c.id)
_UPDATE = (
    update(nodes)
    .where(nodes.c.id == bindparam("of_id"), nodes.c.version == bindparam("of_version"))
    .values(
        load=_load(
            reserved_cpu=nodes.c.reserved_cpu_millis,
            reserved_memory=nodes.c.reserved_memory_bytes,
            cpu=bindparam("offered_cpu", type_=BigInteger),
            memory=bindparam("offered_memory", type_=BigInteger),
        )
    )
)
_REMOVE = delete(nodes).where(nodes.c.id == bindparam("of_id"), nodes.c.version == bindparam("of_version"))
_REMOVE_EMPTIED = delete(nodes).where(
    nodes.c.id == bindparam("node_id"),
    nodes.c.deleting_at.is_not(None),
    ~exists().where(assignments.c.node_id == nodes.c.id),
)
_RELEASE = update(nodes).where(nodes.c.id == bindparam("of_id")).values(_moving(-1))
_EPOCH = select(nodes.c.epoch).where(nodes.c.id == bindparam("node_id"))
_CONNECTED = select(nodes.c.id).where(nodes.c.id == bindparam("node_id"), nodes.c.connected)
_HELD = select(nodes.c.id, nodes.c.epoch).where(nodes.c.holder == bindparam("holder"), nodes.c.connected)
_ABANDONED = {
    dialect: select(*COLUMNS)
    .where(nodes.c.connected, ~exists().where(replicas.c.id == nodes.c.holder, has_lease(dialect)))
    .order_by(nodes.c.id)
    .limit(bindparam("limit", type_=BigInteger))
    for dialect in ("sqlite", "postgresql")
}

# What `scheduling.placement.obstacle` asks of a node and a demand.
_cpu, _memory = bindparam("demanded_cpu", type_=BigInteger), bindparam("demanded_memory", type_=BigInteger)
_HAS_ROOM = (
    (nodes.c.max_worker_cpu_millis >= _cpu)
    & (nodes.c.cpu_millis - nodes.c.reserved_cpu_millis >= _cpu)
    & (nodes.c.memory_bytes - nodes.c.reserved_memory_bytes >= _memory)
)
_FITS = nodes.c.accepting & _HAS_ROOM
_ABLE = nodes.c.capabilities.like(bindparam("required", type_=Text), escape="/")
_RESERVE = update(nodes).where(nodes.c.id == bindparam("of_id"), _FITS).values(_moving(1))
_RESERVE_AGAIN = update(nodes).where(nodes.c.id == bindparam("of_id"), _HAS_ROOM).values(_moving(1))
_AMONG = is_in(nodes.c.id, bindparam("among", type_=IdList))


def _best(*narrowed: ColumnElement[bool]) -> Select[Any]:
    fitting = select(nodes.c.id).where(nodes.c.org_id == bindparam("of_org"), _FITS, _ABLE, *narrowed)
    return fitting.order_by(nodes.c.load, nodes.c.assignments, nodes.c.id).limit(1)


def _reserving(best: Select[Any]) -> Any:
    """Choose the best that nobody has locked, lock and reserve it; on SQLite, with one writer, nothing is locked."""
    free = best.with_for_update(skip_locked=True).scalar_subquery()
    return update(nodes).where(nodes.c.id == free).values(_moving(1)).returning(nodes.c.id)


_BEST, _BEST_AMONG = _best(), _best(_AMONG)
_RESERVE_FREE, _RESERVE_FREE_AMONG = _reserving(_BEST), _reserving(_BEST_AMONG)


class SqlNodeRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, node: Node) -> None:
        await self._statements.change(
            _ADD,
            {
                "id": node.id,
                "org_id": node.org_id,
                "created_at": node.created_at,
                "reserved_cpu_millis": node.reserved.cpu_millis,
                "reserved_memory_bytes": node.reserved.memory_bytes,
                "assignments": node.assignments,
                "load": _load_of(node),
                "version": node.version,
                **_changing(node),
            },
        )

    async def get(self, tenant: Tenant, node_id: NodeId) -> Node:
        row = await first(self._statements, _GET, {"node_id": node_id, "org_id": tenant.org_id})
        if row is None:
            raise _not_found(node_id)
        return _node(row)

    async def find(self, node_id: NodeId) -> Node | None:
        row = await first(self._statements, _FIND, {"node_id": node_id})
        return None if row is None else _node(row)

    async def list(self, tenant: Tenant, page: PageRequest, matching: NodeFilter = ALL) -> Page[Node]:
        said = asked(said_by(matching))
        statement = listing(frozenset(said), page.order, self._statements.dialect)
        rows = await self._statements.all(statement, {"org_id": tenant.org_id, **said, **window(page)})
        return page_of(rows, page.limit, item_of=_node, key_of=page.order.place_of)

    async def all_of(self, tenant: Tenant) -> Sequence[Node]:
        return [_node(row) for row in await self._statements.all(_ALL, {"org_id": tenant.org_id})]

    async def update(self, node: Node) -> Node:
        after = replace(node, version=node.version + 1)
        values = _changing(after)
        which = {
            "of_id": node.id,
            "of_version": node.version,
            "offered_cpu": values["cpu_millis"],
            "offered_memory": values["memory_bytes"],
        }
        if await self._statements.change(_UPDATE, {**which, "version": after.version, **values}) == 0:
            raise StaleVersion("node", node.id)
        return after

    async def remove(self, node: Node) -> None:
        if await self._statements.change(_REMOVE, {"of_id": node.id, "of_version": node.version}) == 0:
            raise StaleVersion("node", node.id)

    async def remove_emptied(self, node_id: NodeId) -> bool:
        return await self._statements.change(_REMOVE_EMPTIED, {"node_id": node_id}) == 1

    async def reserve(self, node_id: NodeId, demand: Demand) -> bool:
        return await self._statements.change(_RESERVE, {"of_id": node_id, **_demanded(demand)}) == 1

    async def reserve_again(self, node_id: NodeId, demand: Demand) -> bool:
        return await self._statements.change(_RESERVE_AGAIN, {"of_id": node_id, **_demanded(demand)}) == 1

    async def release(self, node_id: NodeId, demand: Demand) -> None:
        await self._statements.change(_RELEASE, {"of_id": node_id, **_demanded(demand)})

    async def reserve_least_loaded(
        self, org_id: OrgId, demand: Demand, *, requires: frozenset[str] = frozenset(), among: Sequence[NodeId] | None
    ) -> NodeId | None:
        parameters: dict[str, Any] = {"of_org": org_id, "required": _pattern(requires), **_demanded(demand)}
        if among is not None:
            parameters["among"] = among
        free, best = (_RESERVE_FREE, _BEST) if among is None else (_RESERVE_FREE_AMONG, _BEST_AMONG)
        reserved = await first(self._statements, free, parameters)
        if reserved is not None:
            return NodeId(reserved[0])
        # Whatever fits is locked: wait for one at a time. `SELECT ... FOR UPDATE` would do it in one statement, but it
        # keeps the lock of each node that it finds filled, and two of those can end in a deadlock.
        while (candidate := await first(self._statements, best, parameters)) is not None:
            if await self.reserve(candidate[0], demand):
                return NodeId(candidate[0])
        return None

    async def epoch_of(self, node_id: NodeId) -> int | None:
        row = await first(self._statements, _EPOCH, {"node_id": node_id})
        return None if row is None else int(row[0])

    async def is_connected(self, node_id: NodeId) -> bool:
        return await first(self._statements, _CONNECTED, {"node_id": node_id}) is not None

    async def held_by(self, holder: ReplicaId) -> Mapping[NodeId, int]:
        rows = await self._statements.all(_HELD, {"holder": holder})
        return {NodeId(node_id): epoch for node_id, epoch in rows}

    async def abandoned(self, *, now: datetime, limit: int) -> Sequence[Node]:
        parameters = {"limit": limit, **({"now": now} if self._statements.dialect == "sqlite" else {})}
        return [_node(row) for row in await self._statements.all(_ABANDONED[self._statements.dialect], parameters)]


def _not_found(node_id: NodeId) -> NotFound:
    return NotFound("node_not_found", f"There is no node {node_id!r}.", id=node_id)


def _demanded(demand: Demand) -> dict[str, Any]:
    return {"demanded_cpu": demand.cpu_millis, "demanded_memory": demand.memory_bytes}


def _pattern(requires: frozenset[str]) -> str:
    """Finds all of them in a node's capabilities, which are in the same order."""
    marked = (f"|{each.replace('_', '/_')}|" for each in sorted(requires))
    return "%".join(["", *marked, ""])


def _changing(node: Node) -> dict[str, Any]:
    capacity = node.capacity
    empty = replace(node, reserved=_NOTHING)
    return {
        "name": node.name,
        "labels": dict(node.labels),
        "token_hash": node.token_hash,
        "cpu_millis": None if capacity is None else capacity.cpu_millis,
        "memory_bytes": None if capacity is None else capacity.memory_bytes,
        "max_worker_cpu_millis": None if capacity is None else capacity.max_worker_cpu_millis,
        "draining": node.draining,
        "quarantine": problem_to_json(node.quarantine),
        "epoch": node.epoch,
        "connected": node.connected,
        "connection_changed_at": node.connection_changed_at,
        "holder": node.holder,
        "supersessions": supersessions_to_json(node.supersessions),
        "limits": limits_to_json(node.limits),
        "incompatible": problem_to_json(node.incompatible),
        "deleting_at": node.deleting_at,
        "agent": agent_to_json(node.agent),
        "accepting": obstacle(Request(demand=_NOTHING), empty) is None,
        "tags": tags_to_text(node.tags),
        "metadata": dict(node.metadata),
        "capabilities": "".join(f"|{each}|" for each in sorted(node.capabilities)),
    }


def _load_of(node: Node) -> float | None:
    capacity = node.capacity
    if capacity is None or not capacity.cpu_millis or not capacity.memory_bytes:
        return None
    return load_key(node)[0]


def _node(row: AnyRow) -> Node:
    (
        node_id,
        org_id,
        name,
        labels,
        token_hash,
        created_at,
        cpu_millis,
        memory_bytes,
        max_worker_cpu_millis,
        reserved_cpu_millis,
        reserved_memory_bytes,
        assignments,
        draining,
        quarantine,
        epoch,
        connected,
        connection_changed_at,
        holder,
        agent,
        supersessions,
        limits,
        incompatible,
        deleting_at,
        version,
        tags,
        metadata,
    ) = row
    capacity = None
    if cpu_millis is not None:
        capacity = Capacity(
            cpu_millis=cpu_millis, memory_bytes=memory_bytes, max_worker_cpu_millis=max_worker_cpu_millis
        )
    return Node(
        id=node_id,
        org_id=org_id,
        name=name,
        labels=labels,
        token_hash=token_hash,
        created_at=created_at,
        capacity=capacity,
        reserved=Demand(cpu_millis=reserved_cpu_millis, memory_bytes=reserved_memory_bytes),
        assignments=assignments,
        draining=draining,
        quarantine=problem_from_json(quarantine),
        epoch=epoch,
        connected=connected,
        connection_changed_at=connection_changed_at,
        holder=holder,
        agent=agent_from_json(agent),
        supersessions=supersessions_from_json(supersessions),
        limits=limits_from_json(limits),
        incompatible=problem_from_json(incompatible),
        deleting_at=deleting_at,
        tags=tags_from_text(tags),
        metadata=metadata,
        version=version,
    )
