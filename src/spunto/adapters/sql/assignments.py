"""Assignments and tombstones in SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy import insert as generic_insert
from sqlalchemy.dialects import postgresql, sqlite

from spunto.adapters.sql.documents import observation_from_json, observation_to_json
from spunto.adapters.sql.statements import AnyRow, Statements, first
from spunto.adapters.sql.tables.nodes import assignments, nodes, tombstones
from spunto.adapters.sql.types import IdList, Instant, is_in
from spunto.core.kernel.errors import StaleVersion
from spunto.core.nodes.assignment import Assignment, Tombstone
from spunto.core.nodes.model import Demand, NodeId, ReplicaId
from spunto.core.protocol.messages import Wanted
from spunto.core.specs.kind import SPECS

_IS_CURRENT = (assignments.c.subject_id == bindparam("of_subject")) & (assignments.c.version == bindparam("of_version"))
_SUBJECTS = bindparam("subject_ids", type_=IdList)
_ADD = generic_insert(assignments)
_FIND = select(assignments).where(assignments.c.subject_id == bindparam("subject_id"))
_OF_NODE = select(assignments).where(assignments.c.node_id == bindparam("node_id")).order_by(assignments.c.subject_id)
_OF_SUBJECTS = select(assignments).where(is_in(assignments.c.subject_id, _SUBJECTS)).order_by(assignments.c.subject_id)
_ASKED_SINCE = (
    select(assignments.c.subject_id, assignments.c.node_id, assignments.c.generation)
    .join(nodes, nodes.c.id == assignments.c.node_id)
    .where(assignments.c.wanted_since > bindparam("since", type_=Instant), nodes.c.holder == bindparam("holder"))
)
_UPDATE = update(assignments).where(_IS_CURRENT)
_REMOVE = delete(assignments).where(_IS_CURRENT)
_BURY = {
    "sqlite": sqlite.insert(tombstones).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(tombstones).on_conflict_do_nothing(),
}
_BURIED = select(tombstones.c.subject_id, tombstones.c.kind, tombstones.c.generation, tombstones.c.cause).where(
    tombstones.c.node_id == bindparam("node_id"), is_in(tombstones.c.subject_id, _SUBJECTS)
)


class SqlAssignmentRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, assignment: Assignment) -> None:
        await self._statements.change(
            _ADD,
            {
                "subject_id": assignment.subject_id,
                "kind": assignment.kind,
                "org_id": assignment.org_id,
                "version": assignment.version,
                **_changing(assignment),
            },
        )

    async def find(self, subject_id: str) -> Assignment | None:
        row = await first(self._statements, _FIND, {"subject_id": subject_id})
        return None if row is None else _assignment(row)

    async def of_node(self, node_id: NodeId) -> Sequence[Assignment]:
        return [_assignment(row) for row in await self._statements.all(_OF_NODE, {"node_id": node_id})]

    async def of_subjects(self, subject_ids: Sequence[str]) -> Sequence[Assignment]:
        return [_assignment(row) for row in await self._statements.all(_OF_SUBJECTS, {"subject_ids": subject_ids})]

    async def asked_since(self, holder: ReplicaId, *, since: datetime) -> Mapping[str, tuple[NodeId, int]]:
        rows = await self._statements.all(_ASKED_SINCE, {"holder": holder, "since": since})
        return {subject_id: (NodeId(node_id), generation) for subject_id, node_id, generation in rows}

    async def update(self, assignment: Assignment) -> Assignment:
        after = replace(assignment, version=assignment.version + 1)
        await self._change_current(_UPDATE, assignment, version=after.version, **_changing(after))
        return after

    async def remove(self, assignment: Assignment, *, at: datetime) -> None:
        await self._change_current(_REMOVE, assignment)
        await self._statements.change(
            _BURY[self._statements.dialect],
            {
                "node_id": assignment.node_id,
                "subject_id": assignment.subject_id,
                "kind": assignment.kind,
                "generation": assignment.generation,
                "buried_at": at,
                "cause": assignment.cause,
            },
        )

    async def buried(self, node_id: NodeId, subject_ids: Sequence[str]) -> Mapping[str, Tombstone]:
        rows = await self._statements.all(_BURIED, {"node_id": node_id, "subject_ids": subject_ids})
        return {row[0]: Tombstone(kind=row[1], generation=row[2], cause=row[3]) for row in rows}

    async def _change_current(self, statement: Any, assignment: Assignment, **values: Any) -> None:
        which = {"of_subject": assignment.subject_id, "of_version": assignment.version}
        if await self._statements.change(statement, {**which, **values}) == 0:
            raise StaleVersion("assignment", assignment.subject_id)


def _changing(assignment: Assignment) -> dict[str, Any]:
    return {
        "node_id": assignment.node_id,
        "generation": assignment.generation,
        "wanted": assignment.wanted.value,
        "spec": SPECS[assignment.kind].write(assignment.spec),
        "cpu_millis": assignment.demand.cpu_millis,
        "memory_bytes": assignment.demand.memory_bytes,
        "reserves": assignment.reserves,
        "observed": observation_to_json(assignment.observed),
        "wanted_since": assignment.wanted_since,
        "cause": assignment.cause,
    }


def _assignment(row: AnyRow) -> Assignment:
    (
        subject_id,
        kind,
        org_id,
        node_id,
        generation,
        wanted,
        spec,
        cpu_millis,
        memory_bytes,
        reserves,
        observed,
        wanted_since,
        version,
        cause,
    ) = row
    return Assignment(
        kind=kind,
        subject_id=subject_id,
        org_id=org_id,
        node_id=node_id,
        generation=generation,
        wanted=Wanted(wanted),
        spec=SPECS[kind].read(spec),
        demand=Demand(cpu_millis=cpu_millis, memory_bytes=memory_bytes),
        reserves=reserves,
        observed=observation_from_json(observed),
        wanted_since=wanted_since,
        cause=cause,
        version=version,
    )
