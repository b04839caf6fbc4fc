"""HTTP applications on ports of simulated workers, asked through an edge's own rules."""

from typing import Any

import httpx
import pytest

from spunto.core.routes.desired import Sharing
from spunto.core.workers.model import Worker, WorkerState
from spunto.testing.harness import Harness

PORT = 3000


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Tells what it was asked, and by whom as far as it may know."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    told = f"{scope['method']} {scope['path']}?{scope['query_string'].decode()} {body.decode()} {sorted(headers)}"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": told.encode(), "more_body": True})
    await send({"type": "http.response.body"})


@pytest.fixture
async def worker(spunto_harness: Harness) -> Worker:
    node = await spunto_harness.add_node("one")
    project = await spunto_harness.add_project()
    spawned = await spunto_harness.spawn(project)
    await spunto_harness.settle()
    node.serve_http(spawned.worker.id, PORT, application)
    return (await spunto_harness.worker(project, spawned.worker.id)).worker


async def test_the_owner_gets_the_application_and_the_application_no_credential(
    spunto_harness: Harness, worker: Worker
) -> None:
    async with spunto_harness.visitor(worker, PORT, spunto_harness.owner_token) as visitor:
        answers = [await visitor.post("/a?b=c", content=b"body"), await visitor.get("/")]

    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].text.startswith("POST /a?b=c body [")
    assert "authorization" not in answers[0].text
    assert "x-forwarded-host" in answers[0].text


async def test_others_are_let_in_as_the_port_is_shared(spunto_harness: Harness, worker: Worker) -> None:
    ada = await spunto_harness.add_person("ada")

    async def statuses() -> list[int]:
        found = []
        for token in (ada.token, None):
            async with spunto_harness.visitor(worker, PORT, token) as visitor:
                found.append((await visitor.get("/")).status_code)
        return found

    before = await statuses()
    shared = []
    for sharing in (Sharing.ORG, Sharing.PUBLIC):
        await spunto_harness.spunto.sharing.share(
            spunto_harness.owner, spunto_harness.organization.id, worker.project_id, worker.id, PORT, sharing
        )
        await spunto_harness.advance(5)
        shared.append(await statuses())

    assert (before, shared) == ([403, 401], [[200, 401], [200, 200]])


async def test_a_port_where_nobody_listens_is_said_to_be_so(spunto_harness: Harness, worker: Worker) -> None:
    async with spunto_harness.visitor(worker, PORT + 1, spunto_harness.owner_token) as visitor:
        asking = visitor.get("/")
        answer = await spunto_harness.finish(asking)

    assert (answer.status_code, answer.json()["code"]) == (503, "nobody_listens")


async def test_who_may_start_a_worker_wakes_it_by_a_visit(spunto_harness: Harness, worker: Worker) -> None:
    place = (spunto_harness.organization.id, worker.project_id, worker.id)
    async with spunto_harness.visitor(worker, PORT, spunto_harness.owner_token) as visitor:
        await visitor.get("/")
        await spunto_harness.spunto.workers.stop(spunto_harness.owner, *place)
        await spunto_harness.advance(5)
        stopped = await spunto_harness.spunto.workers.get(spunto_harness.owner, *place)

        await spunto_harness.finish(visitor.get("/"))

        woken = await spunto_harness.spunto.workers.get(spunto_harness.owner, *place)
    assert (stopped.worker.state, woken.worker.state) == (WorkerState.STOPPED, WorkerState.READY)


async def test_visitors_are_served_while_the_server_restarts_and_after(spunto_harness: Harness, worker: Worker) -> None:
    async with spunto_harness.visitor(worker, PORT, spunto_harness.owner_token) as visitor:
        before = await visitor.get("/")
        await spunto_harness.restart_server()
        during = await visitor.get("/")
        await spunto_harness.advance(30)
        after = await visitor.get("/")

    assert [each.status_code for each in (before, during, after)] == [httpx.codes.OK] * 3
