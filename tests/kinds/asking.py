"""Asks the server of a harness for things of the tests' kinds, as a slice of theirs would."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.kinds import bridge, errand
from tests.kinds.bridge import BridgeSpec
from tests.kinds.errand import ErrandSpec

from spunto.core.access.policy import Action
from spunto.core.executor.kinds.table import KINDS
from spunto.core.executor.reading import Reading
from spunto.core.kernel.ids import TimeOrderedIds
from spunto.core.nodes.assignment import Assignment
from spunto.core.nodes.model import Demand
from spunto.core.nodes.sync import topic
from spunto.core.protocol.messages import Wanted
from spunto.core.scheduling.placement import Request
from spunto.core.scheduling.placing import place
from spunto.core.specs.kind import SPECS
from spunto.testing.harness import Harness
from spunto.testing.node import DEFAULT_IMAGE

DEMAND = Demand(cpu_millis=100, memory_bytes=64 * 1024**2)


@contextmanager
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reading]:
    """The tests' kinds in both tables; gives what an agent from before them understands."""
    before = Reading(kinds=dict(KINDS), specs=dict(SPECS))
    for module in (bridge, errand):
        monkeypatch.setitem(SPECS, module.SPEC.name, module.SPEC)
        monkeypatch.setitem(KINDS, module.KIND.name, module.KIND)
    yield before


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    harness: Harness

    async def bridge(self) -> str:
        return await self.stands("bridge", "brg", BridgeSpec(org_id=self.harness.organization.id))

    async def errand(self, on: str, command: Sequence[str] = ("tick",)) -> str:
        spec = ErrandSpec(org_id=self.harness.organization.id, image=DEFAULT_IMAGE, bridge=on, command=tuple(command))
        return await self.stands("errand", "ern", spec)

    async def stands(self, kind: str, prefix: str, spec: Any, *, subject_id: str | None = None) -> str:
        """Place it and ask for it; gives its id."""
        harness = self.harness
        subject_id = subject_id or self.new_id(prefix)
        tenant = harness.owner.require(Action.WORKER_SPAWN, org_id=harness.organization.id)
        async with harness.spunto._store() as tx:
            node_id = await place(tx, tenant, Request(demand=DEMAND, what=kind))
            assignment = Assignment(
                kind=kind,
                subject_id=subject_id,
                org_id=harness.organization.id,
                node_id=node_id,
                generation=1,
                wanted=Wanted.PRESENT,
                spec=spec,
                demand=DEMAND,
                wanted_since=harness.clock.now(),
            )
            await tx.assignments.add(assignment)
            tx.hint(topic(node_id))
            await tx.commit()
        return subject_id

    async def gone(self, *subject_ids: str) -> None:
        """Ask for their absence."""
        async with self.harness.spunto._store() as tx:
            for assignment in await tx.assignments.of_subjects(subject_ids):
                await tx.assignments.update(assignment.asking_absent(at=self.harness.clock.now()))
                tx.hint(topic(assignment.node_id))
            await tx.commit()

    async def find(self, subject_id: str) -> Assignment | None:
        async with self.harness.spunto._store.reading() as tx:
            found: Assignment | None = await tx.assignments.find(subject_id)
        return found

    async def seen(self, subject_id: str) -> tuple[Any, ...]:
        """Phase, problem's code and exit code, as the node last said."""
        assignment = await self.find(subject_id)
        assert assignment is not None
        observed = assignment.observed
        if observed is None:
            return (None, None, None)
        return (observed.phase, observed.problem and observed.problem.code, observed.exit_code)

    def new_id(self, prefix: str) -> str:
        return TimeOrderedIds(self.harness.clock).new(prefix)
