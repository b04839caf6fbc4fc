"""What nodes report, recorded: observations of their assignments, inventories, and the state of their engine."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from spunto.core.activity.events import EventType
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.log import Log
from spunto.core.kernel.problem import Problem
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.nodes.assignment import Assignment, Observation, Tombstone, bounded_setup
from spunto.core.nodes.introduction import disk_of
from spunto.core.nodes.links import Link
from spunto.core.nodes.model import NodeId
from spunto.core.nodes.ports import NodesTransaction
from spunto.core.nodes.sync import topic
from spunto.core.protocol.closing import FORBIDDEN
from spunto.core.protocol.messages import (
    Desired,
    DesiredItem,
    Forget,
    Inventory,
    ObservedItem,
    Phase,
    Wanted,
)

# More than anything can be asked for, and far less than the wire can carry.
MAX_GENERATION: Final = 2**40
_IMPOSSIBLE: Final = Problem(
    code="node_impossible_generation",
    message="The agent reports what no server can have asked for; look at its machine, then rotate the token.",
)


class Reports:
    """Everything here comes from an agent and is believed only of its own node's assignments, and only while its
    connection is the node's newest one."""

    def __init__(self, uow: UnitOfWork[NodesTransaction], *, auditor: Auditor, clock: Clock, log: Log) -> None:
        self._uow = uow
        self._log = log
        self._auditor = auditor
        self._clock = clock

    @retried
    async def record(self, node_id: NodeId, link: Link, items: Sequence[ObservedItem]) -> None:
        """Store what changed and make its subjects due; an absence that was asked for ends the assignment.

        A node that speaks of a later generation than was ever asked for here has outlived a restored backup.
        """
        observed = {item.id: item for item in items}
        gone: list[str] = []
        is_removed = False
        async with self._uow() as tx:
            assigned = {each.subject_id: each for each in await tx.assignments.of_subjects(list(observed))}
            # After the assignments, whose versions guard the writing: what a newer connection reported is then seen.
            if await tx.nodes.epoch_of(node_id) != link.epoch:
                link.supersede()
                return
            for subject_id, item in observed.items():
                assignment = assigned.get(subject_id)
                if assignment is None or assignment.node_id != node_id:
                    gone += [subject_id] if item.phase is Phase.ABSENT else []
                elif item.generation > max(MAX_GENERATION, assignment.generation):
                    await self._shut_out(tx, link, node_id)
                    break
                elif _is_the_end(assignment, item):
                    await self._end(tx, assignment)
                    gone.append(subject_id)
                elif item.generation > assignment.generation:
                    await self._take_what_ran_ahead(tx, assignment, item)
                else:
                    await self._observe(tx, assignment, item)
            if gone:
                is_removed = await self._remove_if_emptied(tx, node_id)
            await tx.commit()
        if is_removed:
            self._log("node_deleted", node=node_id)
            link.connection.close(FORBIDDEN, "node_deleted")
        elif gone:
            link.connection.send(Forget(epoch=link.epoch, ids=tuple(gone)))

    async def take_inventory(self, node_id: NodeId, link: Link, message: Inventory) -> None:
        """Keep what the node lists to look at, and have the node remove what was deleted here."""
        link.listed = message
        async with self._uow.reading() as tx:
            _, buried = await known_of(tx, node_id, message)
        if buried:
            link.connection.send(_burial(link.epoch, buried))
        await self._note_machine(node_id, link, message)

    async def _end(self, tx: NodesTransaction, assignment: Assignment) -> None:
        if assignment.reserves:
            await tx.nodes.release(assignment.node_id, assignment.demand)
        await tx.assignments.remove(assignment, at=self._clock.now())
        await tx.due.add(assignment.kind, assignment.subject_id, at=self._clock.now())

    async def _remove_if_emptied(self, tx: NodesTransaction, node_id: NodeId) -> bool:
        """A node that is being deleted ends with the last thing on it; whether it did."""
        node = await tx.nodes.find(node_id)
        if node is None or node.deleting_at is None or not await tx.nodes.remove_emptied(node_id):
            return False
        await self._auditor.announce(tx, node.org_id, EventType.NODE_DELETED, node_id, data={"name": node.name})
        tx.hint(topic(node_id))
        return True

    async def _take_what_ran_ahead(self, tx: NodesTransaction, assignment: Assignment, item: ObservedItem) -> None:
        """An end is believed, so that nothing is made anew with nothing in it; anything else is outdone by what is
        wanted now."""
        if item.phase is Phase.ABSENT:
            await self._end(tx, replace(assignment, generation=item.generation))
        else:
            await tx.assignments.update(assignment.raised_above(item.generation, at=self._clock.now()))
            await tx.due.add(assignment.kind, assignment.subject_id, at=self._clock.now())
            tx.hint(topic(assignment.node_id))
        outcome = "believed" if item.phase is Phase.ABSENT else "outdone"
        data = {"subjectId": assignment.subject_id, "outcome": outcome}
        await self._auditor.announce(tx, assignment.org_id, EventType.NODE_RAN_AHEAD, assignment.node_id, data=data)
        # Who put an older backup back wants to know it, and who did not even more.
        self._log("node_ran_ahead", node=assignment.node_id, subject=assignment.subject_id, outcome=outcome)

    async def _shut_out(self, tx: NodesTransaction, link: Link, node_id: NodeId) -> None:
        """No agent of ours counts that far, and following it would use the numbers up."""
        node = await tx.nodes.find(node_id)
        if node is not None:
            await tx.nodes.update(node.quarantined(_IMPOSSIBLE, at=self._clock.now()))
            self._log("node_quarantined", node=node_id, name=node.name, reason=_IMPOSSIBLE.code)
            await self._auditor.announce(tx, node.org_id, EventType.NODE_QUARANTINED, node_id, data={})
        link.connection.close(FORBIDDEN, _IMPOSSIBLE.code, message=_IMPOSSIBLE.message)

    async def _observe(self, tx: NodesTransaction, assignment: Assignment, item: ObservedItem) -> None:
        after = assignment.observing(_observation_of(item))
        if after is assignment or _says_the_same(assignment.observed, after.observed):
            return
        await tx.assignments.update(after)
        await tx.due.add(assignment.kind, assignment.subject_id, at=self._clock.now())

    @retried
    async def _note_machine(self, node_id: NodeId, link: Link, message: Inventory) -> None:
        """Only a change is written: placement avoids a node whose engine is away, or whose disk is short."""
        async with self._uow.reading() as tx:
            node = await tx.nodes.find(node_id)
        if node is None or node.epoch != link.epoch or node.agent is None:
            return
        error = message.engine.error
        problem = None if error is None else Problem(code="engine_unavailable", message=error)
        disk = node.agent.disk if message.disk is None else disk_of(message.disk)
        agent = replace(node.agent, engine_problem=problem, disk=disk)
        if agent == node.agent:
            return
        async with self._uow() as tx:
            await tx.nodes.update(replace(node, agent=agent))
            await tx.commit()
        if disk is not None and disk.shortage and not (node.agent.disk is not None and node.agent.disk.shortage):
            self._log("node_disk_short", node=node_id, name=node.name, reason=disk.shortage)


async def known_of(
    tx: NodesTransaction, node_id: NodeId, message: Inventory
) -> tuple[frozenset[str], Mapping[str, Tombstone]]:
    """The subjects that are assigned to the node, and the tombstones there of others that it lists."""
    assigned = frozenset(each.subject_id for each in await tx.assignments.of_node(node_id))
    listed = [item.id for item in message.items if item.id not in assigned]
    return assigned, await tx.assignments.buried(node_id, listed)


def _is_the_end(assignment: Assignment, item: ObservedItem) -> bool:
    gone = assignment.wanted is Wanted.ABSENT and item.phase is Phase.ABSENT
    return gone and item.generation == assignment.generation


def _says_the_same(before: Observation | None, after: Observation | None) -> bool:
    return before is not None and after is not None and replace(before, at=after.at) == after


def _observation_of(item: ObservedItem) -> Observation:
    return Observation(
        generation=item.generation,
        phase=item.phase,
        container_id=item.container_id,
        container_state=item.container_state,
        exit_code=item.exit_code,
        problem=item.error,
        setup=bounded_setup(item.setup),
        at=item.at,
    )


def _burial(epoch: int, buried: Mapping[str, Tombstone]) -> Desired:
    items = tuple(
        DesiredItem(kind=stone.kind, id=subject_id, generation=stone.generation, wanted=Wanted.ABSENT)
        for subject_id, stone in sorted(buried.items())
    )
    return Desired(epoch=epoch, revision=0, whole=False, items=items)
