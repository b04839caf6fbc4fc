"""Use cases of workers: what is acknowledged is asked of the node, once, and only of who may ask."""

from dataclasses import replace

import pytest
from tests.unit.core.builders import GIB, ORG, OTHER_ORG, OTHER_USER, an_actor, later
from tests.unit.core.memory import Memory

from spunto.core.access.policy import Role
from spunto.core.kernel.errors import Conflict, Forbidden, Invalid, NotFound, StaleVersion
from spunto.core.kernel.idempotency import IdempotencyKey
from spunto.core.kernel.paging import PageRequest
from spunto.core.nodes.model import Demand, Node
from spunto.core.projects.model import Project
from spunto.core.protocol.messages import Phase, Wanted
from spunto.core.specs.worker import Power
from spunto.core.workers.assigned import spec_of
from spunto.core.workers.model import DockerState, Worker, WorkerState

KEY = IdempotencyKey(key="k", fingerprint=b"1")
S = WorkerState


async def spawned(memory: Memory) -> tuple[Node, Project, Worker]:
    """A project with one worker on one node."""
    node = await memory.add_node()
    project = await memory.add_project()
    view = await memory.workers.spawn(memory.owner, ORG, project.id)
    return node, project, view.worker


async def test_a_spawned_worker_is_asked_of_the_least_loaded_node(memory: Memory) -> None:
    busy = await memory.add_node("busy", reserved=Demand(cpu_millis=4000, memory_bytes=0))
    free = await memory.add_node("free")
    project = await memory.add_project(env={"A": "1"}, post_create_command="make")

    view = await memory.workers.spawn(memory.owner, ORG, project.id, branch="main")

    worker, assignment = view.worker, await memory.assignment(view.worker.id)
    assert (worker.state, worker.node_id, worker.name, worker.index) == (S.SPAWNING, free.id, "hello-1", 1)
    assert (worker.user_id, worker.branch, worker.generation) == (memory.owner.user_id, "main", 1)
    assert (assignment.node_id, assignment.generation, assignment.wanted) == (free.id, 1, Wanted.PRESENT)
    spec = spec_of(assignment)
    assert (spec.image, spec.env["A"], spec.power) == ("img", "1", Power.RUNNING)
    assert (await memory.node(free.id)).reserved == Demand(cpu_millis=1000, memory_bytes=GIB)
    assert (await memory.node(busy.id)).assignments == 0


async def test_labels_and_a_pin_narrow_the_choice(memory: Memory) -> None:
    await memory.add_node("plain")
    ssd = await memory.add_node("ssd", labels={"disk": "ssd"})
    other = await memory.add_node("other")
    project = await memory.add_project(labels={"disk": "ssd"})
    anywhere = await memory.add_project("anywhere")

    labelled = await memory.workers.spawn(memory.owner, ORG, project.id)
    pinned = await memory.workers.spawn(memory.owner, ORG, anywhere.id, node_id=other.id)

    assert (labelled.worker.node_id, pinned.worker.node_id) == (ssd.id, other.id)


async def test_no_node_available_says_for_each_node_why_not(memory: Memory) -> None:
    offline = await memory.add_node("offline", connected=False)
    small = await memory.add_node("small", memory_bytes=GIB // 2)
    project = await memory.add_project()

    with pytest.raises(Conflict) as caught:
        await memory.workers.spawn(memory.owner, ORG, project.id)

    assert caught.value.code == "no_node_available"
    assert caught.value.fields["nodes"] == [
        {"nodeId": offline.id, "name": "offline", "reason": "is offline"},
        {
            "nodeId": small.id,
            "name": "small",
            "reason": f"has {GIB // 2} of {GIB // 2} bytes of memory free, {GIB} asked",
        },
    ]
    assert "offline is offline; small has" in caught.value.message
    assert (await memory.workers.list(memory.owner, ORG, project.id, PageRequest())).items == []


async def test_without_any_node_the_answer_says_what_to_do(memory: Memory) -> None:
    project = await memory.add_project()

    with pytest.raises(Conflict, match="add one"):
        await memory.workers.spawn(memory.owner, ORG, project.id)


async def test_a_repeated_request_spawns_one_worker(memory: Memory) -> None:
    node = await memory.add_node()
    project = await memory.add_project()

    first = await memory.workers.spawn(memory.owner, ORG, project.id, idempotency=KEY)
    again = await memory.workers.spawn(memory.owner, ORG, project.id, idempotency=KEY)

    assert again == first
    assert (await memory.node(node.id)).assignments == 1
    assert (await memory.audit())["worker.spawn"] == 1
    with pytest.raises(Invalid) as caught:
        await memory.workers.spawn(memory.owner, ORG, project.id, idempotency=IdempotencyKey(key="k", fingerprint=b"2"))
    assert caught.value.code == "idempotency_key_reused"


async def test_of_two_equal_requests_at_once_one_spawns_and_both_get_the_worker(memory: Memory) -> None:
    node = await memory.add_node()
    project = await memory.add_project()
    made = []

    async def be_faster() -> None:
        made.append(await memory.workers.spawn(memory.owner, ORG, project.id, idempotency=KEY))

    memory.racing.interference.append(be_faster)

    assert await memory.workers.spawn(memory.owner, ORG, project.id, idempotency=KEY) == made[0]
    assert (await memory.node(node.id)).assignments == 1


async def test_the_last_room_is_given_once(memory: Memory) -> None:
    node = await memory.add_node(cpus=1)
    project = await memory.add_project()

    async def be_faster() -> None:
        await memory.workers.spawn(memory.owner, ORG, project.id)

    memory.racing.interference.append(be_faster)

    with pytest.raises(Conflict) as caught:
        await memory.workers.spawn(memory.owner, ORG, project.id)
    assert caught.value.code == "no_node_available"
    assert (await memory.node(node.id)).assignments == 1


async def test_indexes_are_never_given_out_twice(memory: Memory) -> None:
    _, project, first = await spawned(memory)
    await memory.workers.destroy(memory.owner, ORG, project.id, first.id)
    await memory.gone(first.id)

    second = await memory.workers.spawn(memory.owner, ORG, project.id)

    assert (await memory.worker(first.id), second.worker.index) == (None, 2)


async def test_a_life_from_spawn_to_record_s_end(memory: Memory) -> None:
    node, project, worker = await spawned(memory)
    here = (memory.owner, ORG, project.id, worker.id)
    room = Demand(cpu_millis=1000, memory_bytes=GIB)
    nothing = Demand(cpu_millis=0, memory_bytes=0)

    await memory.reported(worker.id, phase=Phase.RUNNING)
    assert (await memory.workers.get(*here)).worker.state is S.READY

    stopping = await memory.workers.stop(*here)
    assert (stopping.worker.state, spec_of(await memory.assignment(worker.id)).power) == (S.STOPPING, Power.STOPPED)
    assert (await memory.node(node.id)).reserved == room
    await memory.reported(worker.id, phase=Phase.STOPPED, container_state="exited")
    assert (await memory.workers.get(*here)).worker.state is S.STOPPED
    assert (await memory.node(node.id)).reserved == nothing

    starting = await memory.workers.start(*here)
    assert (starting.worker.state, (await memory.node(node.id)).reserved) == (S.STARTING, room)
    await memory.reported(worker.id, phase=Phase.RUNNING)
    assert (await memory.workers.get(*here)).worker.state is S.READY

    destroying = await memory.workers.destroy(*here)
    assert (destroying.worker.state, (await memory.assignment(worker.id)).wanted) == (S.DESTROYING, Wanted.ABSENT)
    await memory.gone(worker.id)
    with pytest.raises(NotFound):
        await memory.workers.get(*here)
    assert (await memory.node(node.id)).reserved == nothing
    assert await memory.audit() == {
        "project.create": 1,
        "worker.spawn": 1,
        "worker.stop": 1,
        "worker.start": 1,
        "worker.destroy": 1,
    }


async def test_asking_again_for_what_is_under_way_changes_nothing(memory: Memory) -> None:
    _, project, worker = await spawned(memory)
    here = (memory.owner, ORG, project.id, worker.id)

    assert (await memory.workers.start(*here)).worker.generation == 1
    stopping = await memory.workers.stop(*here)
    assert await memory.workers.stop(*here) == stopping
    destroying = await memory.workers.destroy(*here)
    assert await memory.workers.destroy(*here) == destroying


async def test_destroying_ends_every_other_wish(memory: Memory) -> None:
    _, project, worker = await spawned(memory)
    here = (memory.owner, ORG, project.id, worker.id)
    await memory.workers.destroy(*here)

    for wish in (memory.workers.stop, memory.workers.start):
        with pytest.raises(Conflict) as caught:
            await wish(*here)
        assert (caught.value.code, caught.value.fields["state"]) == ("worker_state", "destroying")


async def test_a_failed_worker_starts_again_with_a_reservation_of_its_own(memory: Memory) -> None:
    node, project, worker = await spawned(memory)
    await memory.reported(worker.id, phase=Phase.FAILED, container_state="not_found")
    assert (await memory.node(node.id)).assignments == 0

    started = await memory.workers.start(memory.owner, ORG, project.id, worker.id)

    assignment = await memory.assignment(worker.id)
    assert (started.worker.state, assignment.reserves, spec_of(assignment).made_in) == (S.STARTING, True, 2)
    assert (await memory.node(node.id)).assignments == 1


async def test_an_overdue_worker_keeps_its_room_and_takes_no_second_one(memory: Memory) -> None:
    node, project, worker = await spawned(memory)
    memory.clock.advance(15 * 60)
    await memory.reconciler.handle(worker.id)
    overdue = await memory.worker(worker.id)
    assert overdue is not None
    assert overdue.state is S.ERROR

    await memory.workers.start(memory.owner, ORG, project.id, worker.id)

    assert (await memory.node(node.id)).assignments == 1


async def test_a_stopped_worker_does_not_start_where_its_room_was_taken(memory: Memory) -> None:
    node = await memory.add_node(cpus=1)
    project = await memory.add_project()
    view = await memory.workers.spawn(memory.owner, ORG, project.id)
    await memory.workers.stop(memory.owner, ORG, project.id, view.worker.id)
    await memory.reported(view.worker.id, phase=Phase.STOPPED, container_state="exited")
    await memory.workers.spawn(memory.owner, ORG, project.id)

    with pytest.raises(Conflict) as caught:
        await memory.workers.start(memory.owner, ORG, project.id, view.worker.id)

    assert caught.value.code == "no_node_available"
    assert caught.value.fields["nodes"] == [
        {"nodeId": node.id, "name": "one", "reason": "has 0 of 1 cpus free, 1 asked"}
    ]


async def test_members_act_on_their_own_workers_and_admins_on_everybody_s(memory: Memory) -> None:
    _, project, worker = await spawned(memory)
    theirs = await memory.workers.spawn(memory.member, ORG, project.id)
    for use_case in (memory.workers.stop, memory.workers.start, memory.workers.destroy):
        with pytest.raises(Forbidden) as caught:
            await use_case(memory.member, ORG, project.id, worker.id)
        assert caught.value.code == "not_owner"
    with pytest.raises(Forbidden):
        await memory.workers.update(memory.member, ORG, project.id, worker.id, name="mine")

    assert (await memory.workers.get(memory.member, ORG, project.id, worker.id)).worker.id == worker.id
    assert (await memory.workers.stop(memory.member, ORG, project.id, theirs.worker.id)).worker.state is S.STOPPING
    admin = an_actor(role=Role.ADMIN)
    assert (await memory.workers.destroy(admin, ORG, project.id, theirs.worker.id)).worker.state is S.DESTROYING


async def test_a_worker_of_another_organization_or_project_is_not_there(memory: Memory) -> None:
    _, project, worker = await spawned(memory)
    other = await memory.add_project("other")
    stranger = an_actor(user_id=OTHER_USER, roles={OTHER_ORG: Role.OWNER})

    with pytest.raises(NotFound) as foreign:
        await memory.workers.get(stranger, OTHER_ORG, project.id, worker.id)
    with pytest.raises(NotFound) as misplaced:
        await memory.workers.get(memory.owner, ORG, other.id, worker.id)

    assert (foreign.value.code, misplaced.value.code) == ("worker_not_found", "worker_not_found")


async def test_a_rename_is_told_to_who_watches_and_refused_for_a_taken_name(memory: Memory) -> None:
    _, project, worker = await spawned(memory)
    other = await memory.workers.spawn(memory.owner, ORG, project.id, name="other")

    with memory.wakeups.subscribe(f"worker:{worker.id}") as wakeup:
        renamed = await memory.workers.update(memory.owner, ORG, project.id, worker.id, name="mine")
        await wakeup.wait(max_seconds=1000)

    assert (renamed.worker.name, renamed.worker.generation) == ("mine", 1)
    with pytest.raises(Conflict) as caught:
        await memory.workers.update(memory.owner, ORG, project.id, other.worker.id, name="mine")
    assert caught.value.code == "worker_name_taken"


async def test_a_lost_race_is_run_again_with_what_is_true_then(memory: Memory) -> None:
    _, project, worker = await spawned(memory)
    here = (memory.owner, ORG, project.id, worker.id)

    async def become_ready() -> None:
        await memory.reported(worker.id, phase=Phase.RUNNING)

    memory.racing.interference.append(become_ready)
    stopping = await memory.workers.stop(*here)

    assert (stopping.worker.state, stopping.worker.docker_state) == (S.STOPPING, DockerState.RUNNING)
    assert (await memory.assignment(worker.id)).generation == stopping.worker.generation == 2


async def test_a_race_lost_again_and_again_is_a_conflict(memory: Memory) -> None:
    _, project, worker = await spawned(memory)

    async def touch() -> None:
        async with memory.store() as tx:
            found = await tx.workers.find(worker.id)
            assert found is not None
            await tx.workers.update(replace(found, last_activity_at=later(1)))
            await tx.commit()

    memory.racing.interference += [touch] * 5

    with pytest.raises(StaleVersion):
        await memory.workers.stop(memory.owner, ORG, project.id, worker.id)


async def test_a_newer_version_of_the_project_makes_a_worker_outdated(memory: Memory) -> None:
    _, project, worker = await spawned(memory)

    await memory.projects.update(memory.owner, ORG, project.id, {"image": "img:2"})

    assert (await memory.workers.get(memory.owner, ORG, project.id, worker.id)).outdated


async def test_a_handled_worker_that_is_gone_is_forgotten(memory: Memory) -> None:
    assert await memory.reconciler.handle("wkr_unknown") is None
