"""The door for edges: who is let in, and how those are told who are not."""

import pytest
from tests.unit.core.protocol.messages import a_hello
from tests.unit.entrypoints.http.site import Site
from tests.unit.entrypoints.ws.visitor import Visitor

from spunto.core.protocol.closing import FORBIDDEN, UNAUTHENTICATED
from spunto.core.protocol.codec import encode

CONNECT = "/api/edge/connect"


async def test_an_edge_is_let_in_and_told_what_there_is_until_it_is_removed(site: Site) -> None:
    edge, token = await site.house.spunto.edges.create("front")

    async with Visitor(site.house.app, CONNECT, {"Authorization": f"Bearer {token.reveal()}"}) as visitor:
        await visitor.accepted()
        await visitor.say(encode(a_hello()))
        welcome, desired = await visitor.hear(), await visitor.hear()
        await site.house.spunto.edges.remove("front")
        code = await visitor.close_code()

    assert (welcome["type"], welcome["nodeId"]) == ("welcome", edge.id)
    assert (desired["type"], desired["whole"]) == ("desired", True)
    assert [item["kind"] for item in desired["items"]] == ["settings", "key"]
    assert code == FORBIDDEN


@pytest.mark.parametrize("token", ["nonsense", f"spe_{'0' * 26}_{'A' * 43}00000000", "sps_" + "A" * 43])
async def test_a_token_that_is_not_good_is_told_by_the_close_code(site: Site, token: str) -> None:
    async with Visitor(site.house.app, CONNECT, {"Authorization": f"Bearer {token}"}) as visitor:
        await visitor.accepted()

        assert await visitor.close_code() == UNAUTHENTICATED


async def test_a_token_of_an_edge_opens_no_other_door(site: Site) -> None:
    _, token = await site.house.spunto.edges.create("front")

    async with Visitor(site.house.app, "/api/agent/connect", {"Authorization": f"Bearer {token.reveal()}"}) as visitor:
        await visitor.accepted()
        code = await visitor.close_code()
    answer = await site.house.client.get("/api/orgs", headers={"Authorization": f"Bearer {token.reveal()}"})

    assert (code, answer.status_code) == (UNAUTHENTICATED, 401)


@pytest.mark.parametrize("query", ["", "?token=spe_x"])
async def test_a_token_comes_in_a_header_alone(site: Site, query: str) -> None:
    async with Visitor(site.house.app, f"{CONNECT}{query}", {}) as visitor:
        status, problem = await visitor.refusal()

    assert (status, problem["code"]) == (401, "credential_missing")
