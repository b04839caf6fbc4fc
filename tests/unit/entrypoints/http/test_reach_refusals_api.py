"""Where a worker's node gives no answer: none runs, it is away, or speaks nonsense, or the asker may not ask."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from tests.unit.entrypoints.http.house import Person, problem_of
from tests.unit.entrypoints.http.site import Site, a_node, container_of

from spunto.adapters.memory.runtime_commands import Process
from spunto.core.access.policy import Action, Role
from spunto.core.executor.streams import serving as streams
from spunto.core.workers import reach as worker_reach
from spunto.entrypoints.http import reach as door

READS = ("/logs", "/stats", "/git-status", "/ports")


def not_running(below: str) -> tuple[int, str]:
    """A conflict with the worker's state; but its figures are only not there for now."""
    return 503 if below == "/stats" else 409, "worker_not_running"


async def reach(site: Site, worker: str, below: str) -> tuple[int, str]:
    if below == "/exec":
        return await site.problem("POST", f"{worker}/exec", {"command": "true"})
    return await site.problem("GET", f"{worker}{below}")


@pytest.mark.parametrize("below", ["/exec", "/stats", "/git-status", "/ports"])
async def test_a_stopped_worker_is_not_running(site: Site, below: str) -> None:
    await a_node(site)
    worker = await site.worker()
    await site.json("POST", f"{worker}/stop", status=202)
    await site.harness.settle()

    assert await reach(site, worker, below) == not_running(below)


@pytest.mark.parametrize("below", ["/exec", *READS])
async def test_a_worker_without_a_container_is_not_running(site: Site, below: str) -> None:
    node = await a_node(site, published=["slow"])
    node.engine.hold_pulls()
    project = await site.project(image="slow")
    spawned = await site.json("POST", f"{project}/workers", {}, status=202)
    await site.harness.settle()

    assert await reach(site, f"{project}/workers/{spawned['id']}", below) == not_running(below)


@pytest.mark.parametrize("below", ["/exec", "/stats", "/git-status", "/ports"])
async def test_a_container_that_has_just_ended_is_not_running(site: Site, below: str) -> None:
    node = await a_node(site)
    worker = await site.worker()
    exiting = asyncio.ensure_future(node.engine.exit_container(container_of(worker), 1))

    refusal = await reach(site, worker, below)
    await exiting

    assert refusal == not_running(below)


@pytest.mark.parametrize("below", ["/exec", *READS])
async def test_an_offline_node_is_told_with_when_to_come_back(site: Site, below: str) -> None:
    node = await a_node(site)
    worker = await site.worker()
    node.disconnect()
    await site.harness.settle()

    method, body = ("POST", {"command": "true"}) if below == "/exec" else ("GET", None)
    response = await site.call(method, f"{worker}{below}", body)

    assert (await problem_of(response))["code"] == "node_offline"
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("below", ["/exec", *READS])
async def test_an_engine_that_does_not_answer_is_told(site: Site, below: str) -> None:
    node = await a_node(site)
    worker = await site.worker()
    await node.break_engine()

    assert await reach(site, worker, below) == (503, "engine_unavailable")


@pytest.mark.parametrize("below", ["/exec", *READS])
async def test_a_node_that_loses_its_connection_meanwhile_is_told(site: Site, below: str) -> None:
    node = await a_node(site)
    worker = await site.worker()
    node.partition()
    asking = asyncio.ensure_future(reach(site, worker, below))
    await site.harness.advance(60)

    assert await asking == (503, "connection_lost")


@pytest.mark.parametrize("below", ["/exec", "/logs", "/stats"])
async def test_a_node_that_says_nothing_is_not_waited_for_for_ever(
    site: Site, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    monkeypatch.setattr(worker_reach, "ANSWER_SECONDS", 0.01)
    node = await a_node(site)
    worker = await site.worker()
    node.partition()
    body = {"command": "true", "timeoutSeconds": 0.01}

    if below == "/exec":
        refusal = await site.problem("POST", f"{worker}{below}", body)
    else:
        refusal = await site.problem("GET", f"{worker}{below}")
    await node.reconnect()

    assert refusal == (503, "node_silent")


LINE = b'{"at": "", "stream": "stdout", "line": ""}\n'


@pytest.mark.parametrize(
    "said",
    [
        LINE * 4,
        LINE * 3 + b"x" * 1000,
        b"nonsense\n",
        b"[]\n",
        b'{"at": 1, "stream": "stdout", "line": ""}\n',
        b'{"at": "',
    ],
)
async def test_a_node_that_speaks_nonsense_is_not_believed(
    site: Site, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(door, "MAX_RAW_LOG_BYTES", 500)

    async def send_nonsense(stream: Any, chunks: Any) -> None:
        await chunks.aclose()
        await stream.write(said)
        await stream.write_eof()

    monkeypatch.setattr(streams, "_send_logs", send_nonsense)
    await a_node(site)
    worker = await site.worker()

    assert await site.problem("GET", f"{worker}/logs?tail=3") == (503, "node_answer_unreadable")


async def test_only_its_owner_reaches_into_a_worker(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    ada = await site.member("ada", role=Role.ADMIN)

    for below in ("/git-status", "/ports"):
        assert await site.problem("GET", f"{worker}{below}", by=ada) == (403, "not_owner")
    assert await site.problem("POST", f"{worker}/exec", {"command": "true"}, by=ada) == (403, "not_owner")
    assert await site.json("GET", f"{worker}/stats", by=ada)


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("below", ["/exec", "/git-status"])
async def test_what_runs_in_a_worker_ends_within_five_seconds_of_its_key(
    site: Site, below: str, *, elsewhere: bool
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def go_on(_: Process, __: Sequence[str]) -> int:
        begun.set()
        try:
            return await asyncio.Future()
        finally:
            ended.set()

    await a_node(site, commands={"sh": go_on})
    worker = await site.worker()
    made = await site.json("POST", f"{site.org}/api-keys", {"name": "CI", "scopes": ["workers:exec"]}, status=201)
    method, body = ("POST", {"command": "go on"}) if below == "/exec" else ("GET", None)
    key = Person(user_id=site.owner.user_id, org_id=site.owner.org_id, token=made["token"])
    asking = asyncio.ensure_future(site.problem(method, f"{worker}{below}", body, by=key))
    await begun.wait()
    await site.harness.settle()

    if elsewhere:
        tenant = site.harness.owner.require(Action.API_KEY_REVOKE, org_id=site.owner.org_id)
        async with site.house.store() as tx:
            await tx.api_keys.revoke(tenant, made["id"], at=site.house.clock.now())
            await tx.commit()
        await site.harness.advance(5)
    else:
        await site.call("DELETE", f"{site.org}/api-keys/{made['id']}")

    async with asyncio.timeout(5):
        assert await asking == (401, "credential_not_good")
        await ended.wait()
