"""A second person, a key, the server's death, a broken store and the client's streams, each in a line or two."""

import pytest

from spunto.client.terminal import Exited
from spunto.core.access.api_keys import OwnerType
from spunto.core.access.policy import Role
from spunto.core.kernel.errors import SpuntoError, Unavailable
from spunto.core.specs.worker import container_name
from spunto.core.workers.model import DockerState, WorkerState
from spunto.testing.harness import Harness


async def test_a_second_person_sees_the_organization_and_may_not_manage_it(spunto_harness: Harness) -> None:
    ada = await spunto_harness.add_person("ada")

    async with spunto_harness.client(ada.token) as client:
        seen = await client.identity()
        with pytest.raises(SpuntoError) as refused:
            await client.nodes.create(spunto_harness.organization.id, name="mine")

    assert (seen.user_id, refused.value.code) == (ada.actor.user_id, "role_required")


async def test_a_second_admin_may(spunto_harness: Harness) -> None:
    admin = await spunto_harness.add_person("admin", role=Role.ADMIN)

    made = await spunto_harness.spunto.nodes.create(admin.actor, spunto_harness.organization.id, name="mine")

    assert made.node.name == "mine"


async def test_a_key_does_what_its_scopes_say(spunto_harness: Harness) -> None:
    key = await spunto_harness.add_key("projects:read", owner_type=OwnerType.ORG)
    project = await spunto_harness.add_project()

    async with spunto_harness.client(key) as client:
        [seen] = [each async for each in client.projects.iter_projects(spunto_harness.organization.id)]
        with pytest.raises(SpuntoError) as refused:
            await client.workers.spawn(spunto_harness.organization.id, project.id)

    assert (seen.id, refused.value.code) == (project.id, "missing_scope")


async def test_a_server_that_died_starts_again_with_everything(spunto_harness: Harness) -> None:
    await spunto_harness.add_node("one")
    project = await spunto_harness.add_project()
    worker = (await spunto_harness.spawn(project)).worker
    before = spunto_harness.spunto

    await spunto_harness.restart_server()
    await spunto_harness.advance(10)

    view = await spunto_harness.worker(project, worker.id)
    assert spunto_harness.spunto is not before
    assert (view.worker.state, view.docker_state) == (WorkerState.READY, DockerState.RUNNING)
    async with spunto_harness.client() as client:
        assert (await client.identity()).user_id == spunto_harness.owner.user_id


async def test_a_broken_store_answers_503_and_loses_nothing(spunto_harness: Harness) -> None:
    await spunto_harness.add_node("one")
    project = await spunto_harness.add_project()
    worker = (await spunto_harness.spawn(project)).worker

    spunto_harness.break_store()
    await spunto_harness.advance(60)
    with pytest.raises(Unavailable):
        await spunto_harness.worker(project, worker.id)
    spunto_harness.mend_store()
    await spunto_harness.advance(60)

    assert (await spunto_harness.worker(project, worker.id)).worker.state is WorkerState.READY


async def test_the_client_s_terminal_and_followed_log_need_no_network(spunto_harness: Harness) -> None:
    node = await spunto_harness.add_node("one")
    project = await spunto_harness.add_project()
    worker_id = (await spunto_harness.spawn(project)).worker.id
    await spunto_harness.settle()
    await node.engine.write_log(container_name(worker_id), "first line")

    async with spunto_harness.client() as client:
        [worker] = [each async for each in client.workers.iter_workers(spunto_harness.organization.id, project.id)]
        line = await anext(client.workers.follow_logs(worker))
        async with client.workers.terminal(worker) as terminal:
            await terminal.write(b"exit 3\n")
            ended = [event async for event in terminal.events()][-1]

    assert line.line == "first line"
    assert ended == Exited(code=3)


async def test_a_refused_stream_says_why_as_over_a_network(spunto_harness: Harness) -> None:
    await spunto_harness.add_node("one")
    project = await spunto_harness.add_project()
    await spunto_harness.spawn(project)
    await spunto_harness.settle()
    ada = await spunto_harness.add_person("ada")

    async with spunto_harness.client(ada.token) as client:
        [worker] = [each async for each in client.workers.iter_workers(spunto_harness.organization.id, project.id)]
        with pytest.raises(SpuntoError) as refused:
            async with client.workers.terminal(worker):
                pass

    assert refused.value.code == "not_owner"
