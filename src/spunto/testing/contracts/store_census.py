"""The contract of the census."""

from datetime import timedelta

from spunto.core.kernel.problem import Problem
from spunto.core.nodes.model import Agent, NodeStatus
from spunto.core.workers.census import Backlog, Census
from spunto.core.workers.model import WorkerState
from spunto.testing.contracts.store import LATER, NOW, Store, a_node, a_project, a_tenant, a_worker


def an_agent_without_engine() -> Agent:
    problem = Problem(code="engine_unavailable", message="Gone")
    return Agent(version="1", instance_id="i", engine="docker", engine_version="", engine_problem=problem)


class CensusContract:
    async def test_of_nothing_there_is_nothing(self, store: Store) -> None:
        async with store.reading() as tx:
            census = await tx.census.take(now=NOW)

        assert census == Census()

    async def test_everything_is_counted_whoever_s_it_is(self, store: Store) -> None:
        async with store() as tx:
            for tenant in (a_tenant(), a_tenant()):
                node = a_node(tenant, epoch=0, connected=False)
                await tx.nodes.add(node)
                project = a_project(tenant)
                await tx.projects.add(project)
                worker = a_worker(project, node_id=node.id)
                await tx.workers.add(worker)
                await tx.due.add("worker", worker.id, at=NOW)
            await tx.nodes.add(a_node(tenant, epoch=1, connected=True))
            await tx.nodes.add(a_node(tenant, epoch=1, connected=True, draining=True))
            await tx.nodes.add(a_node(tenant, epoch=2, connected=False))
            await tx.nodes.add(a_node(tenant, epoch=3, connected=True, agent=an_agent_without_engine()))
            await tx.nodes.add(a_node(tenant, incompatible=Problem(code="x", message="Old"), connected=False))
            await tx.nodes.add(a_node(tenant, quarantine=Problem(code="x", message="Twice")))
            await tx.nodes.add(a_node(tenant, deleting_at=NOW))
            await tx.workers.add(a_worker(project, node_id=node.id, state=WorkerState.ERROR))
            await tx.due.add("worker", "wkr_early", at=NOW - timedelta(seconds=3))
            await tx.due.add("worker", "wkr_late", at=LATER)
            await tx.commit()

        async with store.reading() as tx:
            census = await tx.census.take(now=NOW)

        assert census == Census(
            nodes={
                NodeStatus.PROVISIONING: 2,
                NodeStatus.ONLINE: 1,
                NodeStatus.DRAINING: 1,
                NodeStatus.OFFLINE: 1,
                NodeStatus.ERROR: 2,
                NodeStatus.QUARANTINED: 1,
                NodeStatus.DELETING: 1,
            },
            workers={a_worker(project, node_id=node.id).state: 2, WorkerState.ERROR: 1},
            backlogs={"worker": Backlog(depth=3, oldest_due_at=NOW - timedelta(seconds=3))},
        )

    async def test_what_is_claimed_is_nobody_s_backlog(self, store: Store) -> None:
        async with store() as tx:
            await tx.due.add("worker", "wkr_1", at=NOW)
            await tx.commit()
        await store.queue.claim("worker", now=NOW, limit=9, for_seconds=30)

        async with store.reading() as tx:
            census = await tx.census.take(now=NOW)

        assert census.backlogs == {}
