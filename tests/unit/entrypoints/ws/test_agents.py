"""The door for agents: who is let in, and how those are told who are not."""

import pytest
from quart import Quart
from tests.unit.core.protocol.messages import a_hello
from tests.unit.entrypoints.http.site import Site
from tests.unit.entrypoints.ws.visitor import Visitor

from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.secret import Secret
from spunto.core.protocol.closing import BAD_PROTOCOL, BUSY, FLOODING, FORBIDDEN, RESTARTING, UNAUTHENTICATED
from spunto.core.protocol.codec import encode
from spunto.core.protocol.messages import Ping
from spunto.core.protocol.transport import Transport
from spunto.entrypoints.ws.agents import agents_blueprint
from spunto.entrypoints.ws.sockets import Sockets

CONNECT = "/api/agent/connect"


async def a_token(site: Site) -> tuple[str, str]:
    """A new node's id and token."""
    made = await site.json("POST", f"{site.org}/nodes", {"name": "box"}, status=201)
    return made["node"]["id"], made["token"]


def dial(site: Site, token: str) -> Visitor:
    return Visitor(site.house.app, CONNECT, {"Authorization": f"Bearer {token}"})


async def hello(visitor: Visitor) -> None:
    await visitor.accepted()
    await visitor.say(encode(a_hello()))
    welcome = await visitor.hear()
    assert welcome["type"] == "welcome", welcome


async def test_an_agent_is_let_in_by_header_or_query(site: Site) -> None:
    node_id, token = await a_token(site)

    async with dial(site, token) as visitor:
        await hello(visitor)
        online = await site.json("GET", f"{site.org}/nodes/{node_id}")
    offline = await site.json("GET", f"{site.org}/nodes/{node_id}")
    async with Visitor(site.house.app, f"{CONNECT}?token={token}", {}) as visitor:
        await hello(visitor)

    assert (online["status"], offline["status"]) == ("online", "offline")


@pytest.mark.parametrize("token", ["nonsense", f"spn_{'0' * 26}_{'A' * 43}00000000", "sps_" + "A" * 43])
async def test_a_token_that_is_not_good_is_told_by_the_close_code(site: Site, token: str) -> None:
    async with dial(site, token) as visitor:
        await visitor.accepted()

        assert await visitor.close_code() == UNAUTHENTICATED


@pytest.mark.parametrize("query", ["", "?token="])
async def test_without_a_token_there_is_no_upgrade(site: Site, query: str) -> None:
    async with Visitor(site.house.app, f"{CONNECT}{query}", {}) as visitor:
        status, problem = await visitor.refusal()

    assert (status, problem["code"]) == (401, "credential_missing")


async def test_rotating_the_token_cuts_the_agent_off_and_shuts_it_out(site: Site) -> None:
    node_id, token = await a_token(site)

    async with dial(site, token) as visitor:
        await hello(visitor)
        await site.json("POST", f"{site.org}/nodes/{node_id}/token")
        cut = await visitor.close_code()
    async with dial(site, token) as visitor:
        await visitor.accepted()
        shut_out = await visitor.close_code()

    assert (cut, shut_out) == (FORBIDDEN, UNAUTHENTICATED)


@pytest.mark.parametrize("frame", ["nonsense", "{}", b"", b"\x00\x00\x00\x01data", '{"type": "ping", "nonce": 1}'])
async def test_what_is_no_hello_ends_the_connection(site: Site, frame: str | bytes) -> None:
    _, token = await a_token(site)

    async with dial(site, token) as visitor:
        await visitor.accepted()
        await visitor.say(frame)

        assert await visitor.close_code() == BAD_PROTOCOL


async def test_a_future_protocol_is_answered_clearly(site: Site) -> None:
    _, token = await a_token(site)

    async with dial(site, token) as visitor:
        await visitor.accepted()
        await visitor.say(encode(a_hello(protocol_min=99, protocol_max=100)))
        goodbye = await visitor.hear()
        code = await visitor.close_code()

    assert (goodbye["type"], goodbye["reason"], code) == ("goodbye", "protocol_unsupported", BAD_PROTOCOL)


async def test_a_flood_ends_the_connection(site: Site) -> None:
    _, token = await a_token(site)

    async with dial(site, token) as visitor:
        await hello(visitor)
        for nonce in range(50_000):
            await visitor.say(encode(Ping(nonce=nonce, sent_at=nonce)))
        code = await visitor.close_code()
        taken = visitor.taken

    assert code == FLOODING
    assert taken < 50_000


async def test_a_stopping_server_tells_agents_to_come_back(site: Site) -> None:
    node_id, token = await a_token(site)

    async with dial(site, token) as visitor:
        await hello(visitor)
        await site.house.sockets.close_all(RESTARTING)
        code = await visitor.close_code()

    assert code == RESTARTING
    assert (await site.json("GET", f"{site.org}/nodes/{node_id}"))["status"] == "offline"


@pytest.mark.parametrize("trouble", [Unavailable("database_unavailable", "Later."), RuntimeError("a bug")])
async def test_our_own_trouble_is_no_reason_to_stay_away(site: Site, trouble: Exception) -> None:
    class Troubled:
        async def serve(self, transport: Transport, token: Secret) -> None:
            raise trouble

    app = Quart(__name__)
    app.register_blueprint(agents_blueprint(site.house.gate, Troubled(), Sockets()))  # type: ignore[arg-type]  # all that is asked of it

    async with Visitor(app, CONNECT, {"Authorization": "Bearer x"}) as visitor:
        await visitor.accepted()

        assert await visitor.close_code() == BUSY
