"""Rows for benchmarks that need no engine: an organization, nodes as if connected, workers as if ready."""

from collections.abc import Sequence
from dataclasses import replace

from spunto.adapters.sql.store import SqlStore
from spunto.core.access.model import OrgId, Tenant, UserId
from spunto.core.access.policy import Action, Role
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.ids import TimeOrderedIds
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.model import Agent, Capacity, Node, NodeId, ReplicaId
from spunto.core.nodes.replica import Replica
from spunto.core.orgs.bootstrap import owner_of
from spunto.core.orgs.model import Membership, Organization, User
from spunto.core.projects.model import Environment, Project, ProjectId
from spunto.core.specs.token import new_token, token_hash
from spunto.core.workers import factory
from spunto.core.workers.model import DockerState, WorkerId, WorkerState

clock = SystemClock()
ids = TimeOrderedIds(clock)
# Nobody: what it holds stays connected for as long as anything is measured.
HOLDER = Replica(id=ReplicaId("rpl_bench"))
AGENT = Agent(version="0", instance_id="bench", engine="docker", engine_version="0", capabilities=("kind:worker",))


async def an_organization(store: SqlStore) -> Tenant:
    now = clock.now()
    user = User(id=UserId(ids.new("usr")), name="Bench", email=f"{ids.new('usr')}@localhost", created_at=now)
    organization = Organization(id=OrgId(ids.new("org")), name="bench", slug=ids.new("org")[4:], created_at=now)
    async with store() as tx:
        await tx.members.add_user(user)
        await tx.organizations.add(organization)
        await tx.members.add(Membership(org_id=organization.id, user_id=user.id, role=Role.OWNER, joined_at=now))
        await tx.commit()
    return owner_of(user, organization).require(Action.ORG_READ, org_id=organization.id)


async def a_connected_node(store: SqlStore, tenant: Tenant, *, name: str, cpu_millis: int, memory_bytes: int) -> Node:
    [(node, _)] = await some_nodes(store, tenant, names=[name])
    capacity = Capacity(cpu_millis=cpu_millis, memory_bytes=memory_bytes, max_worker_cpu_millis=cpu_millis)
    async with store() as tx:
        await tx.replicas.renew(HOLDER, now=clock.now(), for_seconds=86400)
        anew = node.connected_anew(agent=AGENT, capacity=capacity, holder=HOLDER.id, at=clock.now())
        node = await tx.nodes.update(anew)
        await tx.commit()
    return node


async def some_nodes(store: SqlStore, tenant: Tenant, *, names: Sequence[str]) -> list[tuple[Node, Secret]]:
    """Nodes that never connected, each with its token."""
    made: list[tuple[Node, Secret]] = []
    async with store() as tx:
        for name in names:
            node_id = NodeId(ids.new("nod"))
            token = new_token(node_id)
            node = Node(
                id=node_id,
                org_id=tenant.org_id,
                name=name,
                labels={},
                token_hash=token_hash(token),
                created_at=clock.now(),
            )
            await tx.nodes.add(node)
            made.append((node, token))
        await tx.commit()
    return made


async def some_workers(store: SqlStore, tenant: Tenant, node: Node, *, count: int) -> Project:
    """A project with ready workers."""
    now = clock.now()
    project = Project(
        id=ProjectId(ids.new("prj")),
        org_id=tenant.org_id,
        name="bench",
        description="",
        number=1,
        environment=Environment(image="bench"),
        created_at=now,
        updated_at=now,
    )
    async with store() as tx:
        await tx.projects.add(project)
        for index in range(1, count + 1):
            worker = factory.new_worker(
                WorkerId(ids.new("wkr")),
                project,
                tenant.actor,
                index=index,
                node_id=node.id,
                name=None,
                branch=None,
                now=now,
            )
            ready = replace(worker.moved(WorkerState.READY, at=now), docker_state=DockerState.RUNNING)
            await tx.workers.add(replace(ready, container_id=f"{index:064x}", setup={"phase": "ready"}))
        await tx.commit()
    return project
