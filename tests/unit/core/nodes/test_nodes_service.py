"""Use cases of nodes: enrolment, rotation, draining and removal."""

from dataclasses import replace

import pytest
from tests.unit.core.builders import GIB, ORG, OTHER_ORG, OTHER_USER, an_actor
from tests.unit.core.memory import Memory

from spunto.core.access.policy import Scope
from spunto.core.activity.events import EventType
from spunto.core.kernel.errors import Conflict, Forbidden, NotFound, Unavailable
from spunto.core.kernel.paging import PageRequest
from spunto.core.nodes.changes import NodeChanges
from spunto.core.nodes.inventory import Standing, judge
from spunto.core.nodes.model import Capacity, NodeStatus
from spunto.core.protocol.messages import InventoryItem, Wanted
from spunto.core.specs.token import node_of_token, token_hash
from spunto.core.workers.model import WorkerState


async def test_a_new_node_has_a_token_that_is_kept_as_a_hash(memory: Memory) -> None:
    made = await memory.nodes.create(memory.owner, ORG, name="one", labels={"disk": "ssd"})

    assert node_of_token(made.token) == made.node.id
    assert made.node.token_hash == token_hash(made.token)
    assert made.node.status is NodeStatus.PROVISIONING
    assert (await memory.nodes.list(memory.member, ORG, PageRequest())).items == [made.node]


async def test_a_name_is_given_once_in_an_organization(memory: Memory) -> None:
    await memory.nodes.create(memory.owner, ORG, name="one")

    with pytest.raises(Conflict) as caught:
        await memory.nodes.create(memory.owner, ORG, name="one")

    assert caught.value.code == "node_name_taken"


async def test_members_look_and_do_not_touch(memory: Memory) -> None:
    node = await memory.add_node()

    with pytest.raises(Forbidden):
        await memory.nodes.create(memory.member, ORG, name="two")
    with pytest.raises(Forbidden):
        await memory.nodes.rotate_token(memory.member, ORG, node.id)
    with pytest.raises(Forbidden):
        await memory.nodes.drain(memory.member, ORG, node.id)
    with pytest.raises(Forbidden):
        await memory.nodes.delete(memory.member, ORG, node.id, force=True)


async def test_a_node_of_another_organization_is_not_there(memory: Memory) -> None:
    node = await memory.add_node()
    stranger = an_actor(user_id=OTHER_USER, roles={OTHER_ORG: memory.owner.roles[ORG]})

    with pytest.raises(NotFound) as caught:
        await memory.nodes.get(stranger, OTHER_ORG, node.id)

    assert caught.value.code == "node_not_found"


async def test_a_rotation_replaces_the_token(memory: Memory) -> None:
    made = await memory.nodes.create(memory.owner, ORG, name="one")

    rotated = await memory.nodes.rotate_token(memory.owner, ORG, made.node.id)

    assert rotated.token != made.token
    assert (await memory.node(made.node.id)).token_hash == token_hash(rotated.token)


async def test_draining_is_repeatable_and_ends(memory: Memory) -> None:
    node = await memory.add_node()

    await memory.nodes.drain(memory.owner, ORG, node.id)
    drained = await memory.nodes.drain(memory.owner, ORG, node.id)
    undrained = await memory.nodes.undrain(memory.owner, ORG, node.id)

    assert (drained.status, undrained.status) == (NodeStatus.DRAINING, NodeStatus.ONLINE)


async def test_a_drain_that_lost_a_race_is_done_all_the_same(memory: Memory) -> None:
    node = await memory.add_node()

    async def be_faster() -> None:
        await memory.set_connected(node.id, connected=False)

    memory.racing.interference.append(be_faster)
    await memory.nodes.drain(memory.owner, ORG, node.id)

    assert (await memory.node(node.id)).draining
    assert not (await memory.node(node.id)).connected


async def test_a_node_that_holds_something_is_removed_by_force_alone(memory: Memory) -> None:
    node = await memory.add_node()
    project = await memory.add_project()
    view = await memory.workers.spawn(memory.owner, ORG, project.id)

    with pytest.raises(Conflict) as caught:
        await memory.nodes.delete(memory.owner, ORG, node.id, force=False)
    waiting = await memory.nodes.delete(memory.owner, ORG, node.id, force=True)
    again = await memory.nodes.delete(memory.owner, ORG, node.id, force=True)
    await memory.reconciler.handle(view.worker.id)

    worker = await memory.worker(view.worker.id)
    assert caught.value.code == "node_not_empty"
    assert waiting is not None
    assert again is not None
    assert (waiting.status, again.deleting_at) == (NodeStatus.DELETING, waiting.deleting_at)
    assert worker is not None
    assert worker.state is WorkerState.DESTROYING
    assert (await memory.assignment(view.worker.id)).wanted is Wanted.ABSENT
    with pytest.raises(Conflict, match="one is being deleted"):
        await memory.workers.spawn(memory.owner, ORG, project.id)


async def test_a_node_is_given_up_only_while_it_is_away_and_what_may_be_left_is_told(memory: Memory) -> None:
    node = await memory.add_node()
    project = await memory.add_project()
    view = await memory.workers.spawn(memory.owner, ORG, project.id)

    with pytest.raises(Conflict) as caught:
        await memory.nodes.abandon(memory.owner, ORG, node.id)
    await memory.set_connected(node.id, connected=False)
    left = await memory.nodes.abandon(memory.owner, ORG, node.id)
    await memory.reconciler.handle(view.worker.id)

    assert (caught.value.code, left) == ("node_connected", [view.worker.id])
    async with memory.store.reading() as tx:
        events = await tx.events.after(ORG, 0, limit=100)
    [told] = [dict(each.data) for each in events if each.type is EventType.NODE_DELETED]
    assert told == {"name": "one", "abandoned": "1", "left": view.worker.id}
    assert await memory.worker(view.worker.id) is None


async def test_what_is_not_given_stays_as_it_is_and_limits_only_lower_what_is_offered(memory: Memory) -> None:
    node = await memory.add_node(cpus=8, labels={"disk": "ssd"})

    renamed = await memory.nodes.update(memory.owner, ORG, node.id, NodeChanges(name="two"))
    limits = NodeChanges(limits={"cpu_millis": 2000, "memory_bytes": 10**15})
    limited = await memory.nodes.update(memory.owner, ORG, node.id, limits)

    assert (renamed.name, renamed.labels, renamed.capacity) == ("two", {"disk": "ssd"}, node.capacity)
    assert limited.capacity == Capacity(cpu_millis=2000, memory_bytes=16 * GIB, max_worker_cpu_millis=2000)
    assert (limited.name, limited.labels) == ("two", {"disk": "ssd"})


async def test_a_key_that_acts_for_an_admin_enrols_nodes_and_rotates_their_tokens(memory: Memory) -> None:
    scopes = frozenset({Scope.NODES_WRITE})
    key = replace(memory.owner, scopes=scopes)

    made = await memory.nodes.create(key, ORG, name="one")
    rotated = await memory.nodes.rotate_token(key, ORG, made.node.id)

    assert rotated.token != made.token
    with pytest.raises(Forbidden, match="role"):
        await memory.nodes.create(replace(memory.member, scopes=scopes), ORG, name="two")


async def test_an_inventory_is_had_from_a_connected_node_alone(memory: Memory) -> None:
    node = await memory.add_node()

    with pytest.raises(Unavailable) as caught:
        await memory.nodes.inventory(memory.owner, ORG, node.id)

    assert caught.value.code == "node_offline"


def test_what_a_node_lists_is_expected_orphaned_or_quarantined() -> None:
    items = [
        InventoryItem(container_id=each, name=each, kind="worker", id=each, generation=1, docker_state="running")
        for each in ("assigned", "buried", "unknown", "")
    ]

    found = judge(items, assigned={"assigned"}, buried={"assigned", "buried"})

    assert [each.known for each in found] == [
        Standing.EXPECTED,
        Standing.ORPHAN,
        Standing.QUARANTINED,
        Standing.QUARANTINED,
    ]
