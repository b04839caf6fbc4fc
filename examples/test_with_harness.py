"""How to test a program that is built on Spunto: against the whole product, with nodes that can fail, in milliseconds.

The program here gives everybody who asks a sandbox to run one command in. Run it with `pytest examples`; the fixture
comes from Spunto's pytest plugin.
"""

from typing import Any

import pytest

from spunto.core.access.model import Actor
from spunto.core.kernel.errors import Unavailable
from spunto.core.orgs.model import Organization
from spunto.core.projects.model import Project
from spunto.core.workers.model import DockerState, WorkerId, WorkerState
from spunto.core.workers.reach import ExecRequest
from spunto.entrypoints.library import Spunto
from spunto.testing.harness import Harness


class Sandboxes:
    """The program under test."""

    def __init__(self, spunto: Spunto, actor: Actor, organization: Organization, project: Project) -> None:
        self._spunto = spunto
        self._actor = actor
        self._place = (organization.id, project.id)

    async def open(self) -> WorkerId:
        return (await self._spunto.workers.spawn(self._actor, *self._place)).worker.id

    async def run(self, sandbox: WorkerId, command: str) -> str:
        """What the command says; "come back later" where the sandbox can't be reached now."""
        request = ExecRequest(command=["sh", "-c", command])
        try:
            result = await self._spunto.reach.exec(self._actor, *self._place, sandbox, request)
        except Unavailable as unavailable:
            return f"come back later: {unavailable.code}"
        return result.stdout.decode()


@pytest.fixture
async def sandboxes(spunto_harness: Harness) -> Sandboxes:
    project = await spunto_harness.add_project()
    return Sandboxes(spunto_harness.spunto, spunto_harness.owner, spunto_harness.organization, project)


async def test_a_sandbox_runs_commands(spunto_harness: Harness, sandboxes: Sandboxes) -> None:
    await spunto_harness.add_node("one")
    sandbox = await sandboxes.open()
    await spunto_harness.settle()  # the node creates and starts the container

    assert await sandboxes.run(sandbox, "echo hello") == "hello\n"


async def test_a_sandbox_on_a_node_that_is_cut_off_asks_for_patience(
    spunto_harness: Harness, sandboxes: Sandboxes
) -> None:
    node = await spunto_harness.add_node("one")
    sandbox = await sandboxes.open()
    await spunto_harness.settle()

    node.partition()
    await spunto_harness.advance(60)  # three heartbeats were missed
    assert await sandboxes.run(sandbox, "echo hello") == "come back later: node_offline"

    await node.reconnect()
    await spunto_harness.advance(5)
    assert await sandboxes.run(sandbox, "echo hello") == "hello\n"


async def test_the_same_over_http(spunto_harness: Harness) -> None:
    node = await spunto_harness.add_node("one")
    async with spunto_harness.client() as client:
        [organization] = [each async for each in client.orgs.iter_orgs()]
        project = await client.projects.create(organization.id, name="web", image="localhost/spunto/worker:1")
        worker = await client.workers.spawn(organization.id, project.id)
        await spunto_harness.settle()
        ready = await client.workers.get(worker)

        await node.remove_by_hand(worker.id)
        await spunto_harness.settle()
        lost = await client.workers.get(worker)

    assert (ready.state, ready.docker_state) == (WorkerState.READY, DockerState.RUNNING)
    assert lost.error is not None
    assert (lost.state, lost.error.code) == (WorkerState.ERROR, "container_lost")


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """What runs in the worker: any ASGI application."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"hello from {scope['path']}".encode()})


async def test_an_application_in_a_worker_is_for_its_owner_alone(spunto_harness: Harness) -> None:
    node = await spunto_harness.add_node("one")
    worker = (await spunto_harness.spawn(await spunto_harness.add_project())).worker
    await spunto_harness.settle()
    node.serve_http(worker.id, 3000, hello)

    async with spunto_harness.visitor(worker, 3000, spunto_harness.owner_token) as owner:
        shown = await owner.get("/page")
    async with spunto_harness.visitor(worker, 3000, None) as stranger:
        refused = await stranger.get("/page")

    assert (shown.text, refused.status_code) == ("hello from /page", 401)
