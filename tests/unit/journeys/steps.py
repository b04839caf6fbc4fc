"""What journeys ask for and look at again and again."""

from dataclasses import dataclass
from typing import Any

from spunto.core.access.model import Actor, OrgId
from spunto.core.executor.runtime import ContainerState
from spunto.core.kernel.errors import NotFound
from spunto.core.nodes.model import Demand, Node, NodeId, NodeStatus
from spunto.core.projects.model import Project, ProjectId
from spunto.core.specs.worker import container_name
from spunto.core.workers.model import DockerState, Worker, WorkerId, WorkerState
from spunto.core.workers.views import WorkerView
from spunto.testing.harness import Harness
from spunto.testing.node import SimulatedNode

NOTHING = Demand(cpu_millis=0, memory_bytes=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One worker of one project."""

    harness: Harness
    project: Project
    id: WorkerId

    async def view(self) -> WorkerView:
        return await self.harness.worker(self.project, self.id)

    async def get(self) -> Worker:
        return (await self.view()).worker

    async def state(self) -> WorkerState:
        return (await self.get()).state

    async def docker_state(self) -> DockerState:
        return (await self.view()).docker_state

    async def problem(self) -> tuple[str, str] | None:
        """Its problem's code and words."""
        problem = (await self.get()).problem
        return None if problem is None else (problem.code, problem.message)

    async def stop(self) -> None:
        await self.harness.spunto.workers.stop(*self.here)

    async def start(self) -> None:
        await self.harness.spunto.workers.start(*self.here)

    async def rebuild(self) -> None:
        await self.harness.spunto.workers.rebuild(*self.here)

    async def change(self, **environment: Any) -> None:
        """A newer version of its project."""
        await self.harness.spunto.projects.update(*self.here[:3], environment)

    async def destroy(self) -> None:
        await self.harness.spunto.workers.destroy(*self.here)

    async def is_gone(self) -> bool:
        try:
            await self.view()
        except NotFound:
            return True
        return False

    @property
    def container(self) -> str:
        return container_name(self.id)

    @property
    def here(self) -> tuple[Actor, OrgId, ProjectId, WorkerId]:
        return self.harness.owner, self.harness.organization.id, self.project.id, self.id


async def a_worker(harness: Harness, project_name: str = "hello", **environment: Any) -> Subject:
    """A worker that was asked for and is `spawning`."""
    project = await harness.add_project(project_name, **environment)
    view = await harness.spawn(project)
    return Subject(harness=harness, project=project, id=view.worker.id)


async def a_ready_worker(harness: Harness, project_name: str = "hello", **environment: Any) -> Subject:
    worker = await a_worker(harness, project_name, **environment)
    await harness.settle()
    assert await worker.state() is WorkerState.READY
    return worker


def at(harness: Harness, node: SimulatedNode) -> tuple[Actor, OrgId, NodeId]:
    """What use cases of nodes are told first."""
    return harness.owner, harness.organization.id, node.id


async def node_of(harness: Harness, node: SimulatedNode) -> Node:
    return await harness.spunto.nodes.get(*at(harness, node))


async def status_of(harness: Harness, node: SimulatedNode) -> NodeStatus:
    return (await node_of(harness, node)).status


def running(node: SimulatedNode) -> list[str]:
    """The names of the containers that run on the node."""
    return [each.name for each in node.containers() if each.state is ContainerState.RUNNING]


def is_clean(node: SimulatedNode) -> bool:
    """Whether nothing of ours is left on the machine."""
    return not (node.engine.standing() or node.engine.networks() or node.engine.volumes())
