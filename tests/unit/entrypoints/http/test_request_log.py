"""One line a request: who asked what, how it ended, and nothing that is a secret."""

from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs
from structlog.typing import EventDict
from tests.unit.entrypoints.http.house import House, build_house
from tests.unit.entrypoints.http.site import Site, a_node, id_of
from tests.unit.entrypoints.ws.visitor import Visitor

REQUEST_ID = {"X-Request-Id": "a-request-of-mine"}


def lines(logged: list[EventDict], event: str = "request") -> list[EventDict]:
    return [line for line in logged if line["event"] == event]


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as captured:
        yield captured


async def test_a_change_is_told_as_info_and_a_read_as_debug(house: House, logged: list[EventDict]) -> None:
    ann = await house.person("ann")

    await house.call(ann, "POST", "/api/orgs", {"name": "x"}, headers=REQUEST_ID)
    await house.call(ann, "GET", f"/api/orgs/{ann.org_id}", headers=REQUEST_ID)

    change, read = lines(logged)
    assert change.pop("ms") >= 0
    assert change == {
        "event": "request",
        "log_level": "info",
        "method": "POST",
        "route": "/api/orgs",
        "status": 201,
        "actor_kind": "user",
        "actor": ann.user_id,
        "request_id": "a-request-of-mine",
    }
    assert (read["log_level"], read["route"], read["status"]) == ("debug", "/api/orgs/{orgId}", 200)


async def test_neither_token_nor_query_nor_body_is_told(house: House, logged: list[EventDict]) -> None:
    ann = await house.person("ann")

    await house.call(ann, "POST", "/api/orgs?planted=1", {"name": "planted"}, headers={"Cookie": "a=planted"})
    await house.client.get("/api/auth/bootstrap?code=planted")
    await house.client.get("/api/orgs", headers={"Authorization": "Bearer planted"})

    assert len(lines(logged)) == 3
    assert "planted" not in repr(logged)
    assert ann.token not in repr(logged)


async def test_a_bug_is_told_with_the_request_s_id(logged: list[EventDict]) -> None:
    async def broken() -> None:
        raise RuntimeError("a bug")

    await build_house(readiness=broken).client.get("/readyz", headers=REQUEST_ID)

    assert [line["request_id"] for line in lines(logged, "request_failed")] == ["a-request-of-mine"]


async def test_sockets_are_told_when_they_end_and_when_they_are_refused(site: Site, logged: list[EventDict]) -> None:
    await a_node(site)
    worker = await site.worker()
    target = f"/api/workers/{id_of(worker)}/terminal"
    logged.clear()

    async with Visitor(site.house.app, target, {}) as refused:
        await refused.refusal()
    async with Visitor(site.house.app, target, site.owner.bearer) as visitor:
        await visitor.ready()

    assert [(line["status"], line["route"], line.get("actor")) for line in lines(logged)] == [
        (401, "/api/workers/{workerId}/terminal", None),
        (101, "/api/workers/{workerId}/terminal", site.owner.user_id),
    ]


async def test_a_stranger_does_not_fill_the_log(house: House, logged: list[EventDict]) -> None:
    ann = await house.person("ann")

    for _ in range(200):
        await house.client.post("/nowhere")
        await house.client.post("/api/orgs", headers={"Authorization": "Bearer nonsense"})
    await house.call(ann, "POST", "/nowhere")
    await house.call(ann, "POST", "/api/orgs", {"name": 1})

    told = lines(logged)
    assert 2 <= len(told) < 60
    assert told[-1]["actor"] == ann.user_id
