"""The door to terminals and logs: what goes through it, and whom it refuses."""

import asyncio
from typing import Any

import pytest
from tests.unit.entrypoints.http.house import LOCAL
from tests.unit.entrypoints.http.site import Site, a_node, container_of
from tests.unit.entrypoints.ws.visitor import visit

from spunto.core.access.policy import Role
from spunto.core.protocol.closing import BUSY, NORMAL


async def test_a_shell_is_typed_into_and_ends_with_its_exit_code(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker) as visitor:
        ready = await visitor.ready()
        await visitor.type("echo hello\n")
        said = await visitor.hear_until("hello\r\nhello\r\n")
        await visitor.type("exit 3\n")
        await visitor.hear_until("exit 3\r\n")
        last = await visitor.hear()
        code = await visitor.close_code()

    assert (ready["offset"], said) == (0, b"echo hello\r\nhello\r\n")
    assert (last, code) == ({"type": "exit", "code": 3}, NORMAL)


async def test_output_says_where_it_stands(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker) as visitor:
        await visitor.ready()
        await visitor.type("echo a\n")
        frames = [await visitor.hear()]
        await visitor.hear_until("a\r\n")
        await visitor.type("echo b\n")
        frames.append(await visitor.hear())

    assert [frame["offset"] for frame in frames] == [0, len("echo a\r\na\r\n")]


async def test_the_size_is_told_at_the_start_and_whenever_it_changes(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker, "?cols=100&rows=30") as visitor:
        await visitor.ready()
        await visitor.type("stty\n")
        first = await visitor.hear_until("30 100\r\n")
        await visitor.say({"type": "resize", "cols": 120, "rows": 40})
        await visitor.type("stty\n")
        second = await visitor.hear_until("40 120\r\n")

    assert first
    assert second


async def test_a_terminal_is_found_again_at_the_byte_where_it_was_left(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    async with visit(site, worker) as visitor:
        session = (await visitor.ready())["session"]
        await visitor.type("echo one\n")
        seen = await visitor.hear_until("one\r\none\r\n")

    async with visit(site, worker, f"?session={session}&offset={len(seen) - 5}") as visitor:
        ready = await visitor.ready()
        again = await visitor.hear_until("one\r\n")

    assert ready == {"type": "ready", "session": session, "offset": len(seen) - 5}
    assert again == b"one\r\n"


async def test_several_look_at_one_terminal_and_the_smallest_size_holds_until_one_is_taken(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker, "?cols=100&rows=30") as first:
        session = (await first.ready())["session"]
        async with visit(site, worker, f"?session={session}&cols=80&rows=40") as second:
            await second.ready()
            told = [await each.hear() for each in (first, second)]
            await second.type("stty\n")
            seen = [await each.hear_until("30 80\r\n") for each in (first, second)]
            await first.say({"type": "resize", "cols": 100, "rows": 30, "take": True})
            told.append(await second.hear())

    assert told == [*[{"type": "size", "cols": 80, "rows": 30}] * 2, {"type": "size", "cols": 100, "rows": 30}]
    assert seen == [b"stty\r\n30 80\r\n"] * 2


async def test_bytes_go_as_they_are_in_binary_frames(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker, "?frames=binary") as visitor:
        ready = await visitor.ready()
        await visitor.say(b"echo \xff\n")
        said = [await visitor.hear_raw(), await visitor.hear_raw()]
        await visitor.say({"type": "resize", "cols": 101, "rows": 31})
        await visitor.say(b"stty; exit 4\n")
        last = b""
        while not isinstance(piece := await visitor.hear_raw(), str):
            last += piece
        code = await visitor.close_code()

    assert ready["offset"] == 0
    assert b"".join(each for each in said if isinstance(each, bytes)).startswith(b"echo \xff\r\n")
    assert b"31 101\r\n" in last
    assert (piece, code) == ('{"type":"exit","code":4}', NORMAL)


async def test_a_terminal_of_a_name_is_entered_again_by_it(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker, "?name=build") as one, visit(site, worker, "?name=build") as other:
        sessions = [(await each.ready())["session"] for each in (one, other)]
        async with visit(site, worker) as unnamed:
            sessions.append((await unnamed.ready())["session"])

    assert sessions[0] == sessions[1] != sessions[2]


async def test_a_terminal_whose_holder_died_is_said_to_be_lost_now_and_later(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()

    async with visit(site, worker) as visitor:
        session = (await visitor.ready())["session"]
        await node.kill_holder()
        said, code = await visitor.hear(), await visitor.close_code()
    async with visit(site, worker, f"?session={session}&offset=0") as visitor:
        status, problem = await visitor.refusal()
    async with visit(site, worker) as visitor:
        await visitor.ready()

    assert (said["type"], said["code"], code) == ("error", "session_lost", 4404)
    assert (status, problem["code"]) == (404, "session_lost")


async def test_a_terminal_outlives_its_agent(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()
    async with visit(site, worker) as visitor:
        session = (await visitor.ready())["session"]
        await visitor.type("echo one\n")
        seen = await visitor.hear_until("\r\none\r\n")
        node.kill_agent()
        await visitor.hear()

    node.start_agent()
    await site.harness.settle()
    async with visit(site, worker, f"?session={session}&offset={len(seen)}") as visitor:
        ready = await visitor.ready()
        await visitor.type("echo two\n")
        more = await visitor.hear_until("\r\ntwo\r\n")

    assert (ready["offset"], more) == (len(seen), b"echo two\r\ntwo\r\n")


async def test_the_log_is_followed_line_by_line(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()
    await node.engine.write_log(container_of(worker), "skipped")
    await node.engine.write_log(container_of(worker), "first")

    async with visit(site, worker, "?mode=logs&tail=1") as visitor:
        await visitor.accepted()
        lines = [await visitor.hear()]
        await visitor.say("anything")
        await node.engine.write_log(container_of(worker), "second \u00e9")
        lines.append(await visitor.hear())

    assert lines == [
        {"type": "line", "at": "2026-01-01T00:00:00Z", "stream": "stdout", "line": line}
        for line in ("first", "second \u00e9")
    ]


async def test_other_members_read_the_log_but_do_not_enter(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    bob = await site.member("bob", role=Role.ADMIN)

    async with visit(site, worker, headers=bob.bearer) as entering:
        status, problem = await entering.refusal()
    async with visit(site, worker, "?mode=logs", headers=bob.bearer) as reading:
        await reading.accepted()

    assert (status, problem["code"]) == (403, "not_owner")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "credential_missing"),
        ({"Authorization": "Bearer nonsense"}, 401, "credential_not_good"),
        ({"Authorization": "Basic eDp5"}, 401, "credential_not_good"),
        ({"Cookie": "session={token}"}, 403, "foreign_origin"),
        ({"Cookie": "session={token}", "Origin": "http://evil.org"}, 403, "foreign_origin"),
        ({"Authorization": "Bearer {token}", "Origin": "http://evil.org"}, 403, "foreign_origin"),
    ],
)
async def test_who_may_not_come_in_is_refused_before_the_upgrade(
    site: Site, headers: dict[str, str], status: int, code: str
) -> None:
    await a_node(site)
    worker = await site.worker()
    sent = {name: value.format(token=site.owner.token) for name, value in headers.items()}

    async with visit(site, worker, headers=sent) as visitor:
        refused, problem = await visitor.refusal()

    assert (refused, problem["code"]) == (status, code)


async def test_a_cookie_is_good_from_our_own_page(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker, headers={"Cookie": f"session={site.owner.token}", "Origin": LOCAL}) as visitor:
        assert await visitor.ready()


@pytest.mark.parametrize(
    "query",
    [
        "?mode=vnc",
        "?cols=0",
        "?rows=4097",
        "?cols=x",
        "?offset=-1",
        "?cols=1&cols=2",
        "?shell=zsh",
        "?tail=0",
        "?frames=base64",
        "?name=",
        "?name=-rf",
        "?token=x",
    ],
)
async def test_a_query_that_is_wrong_is_refused_before_the_upgrade(site: Site, query: str) -> None:
    async with visit(site, site.house.ids.new("wkr"), query) as visitor:
        status, problem = await visitor.refusal()

    assert (status, problem["code"]) == (400, "invalid_query")


async def test_workers_that_are_unknown_or_another_organization_s_are_refused_alike(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    stranger = await site.house.person("eve")
    refusals = []
    for target, headers in (
        (worker, stranger.bearer),
        (site.house.ids.new("wkr"), site.owner.bearer),
        ("nonsense", site.owner.bearer),
    ):
        for mode in ("terminal", "logs"):
            async with visit(site, target, f"?mode={mode}", headers=headers) as visitor:
                status, problem = await visitor.refusal()
                refusals.append((status, problem["code"]))

    assert refusals == [(404, "worker_not_found")] * 6


async def test_a_worker_that_can_not_be_entered_now_is_refused_before_the_upgrade(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()
    refusals = []

    async def refused(query: str = "") -> None:
        async with visit(site, worker, query) as visitor:
            status, problem = await visitor.refusal()
            refusals.append((status, problem["code"]))

    await refused("?session=0123")
    await node.break_engine()
    await refused()
    node.mend_engine()
    exiting = asyncio.ensure_future(node.engine.exit_container(container_of(worker), 1))
    await refused()
    await exiting
    await site.harness.settle()
    await refused()
    node.disconnect()
    await site.harness.settle()
    await refused("?mode=logs")

    assert refusals == [
        (404, "terminal_not_found"),
        (503, "engine_unavailable"),
        (409, "worker_not_running"),
        (409, "worker_not_running"),
        (503, "node_offline"),
    ]


@pytest.mark.parametrize(
    "frame",
    [
        "nonsense",
        "[]",
        '"input"',
        "",
        b"",
        b'{"type": "input", "data": "YQ=="}',
        {"type": "input"},
        {"type": "input", "data": 1},
        {"type": "input", "data": "%"},
        {"type": "input", "data": "\u00e9"},
        {"type": "input", "data": "YQ==", "more": 1},
        {"type": "input", "data": "YWFh" * (64 * 1024)},
        {"type": "resize", "cols": 0, "rows": 1},
        {"type": "resize", "cols": 1, "rows": 4097},
        {"type": "resize", "cols": "1", "rows": 1},
        {"type": "resize", "cols": 1},
        {"type": "resize", "cols": 1, "rows": 1, "take": 1},
        {"type": "resize", "cols": 1, "rows": 1, "size": 1},
        {"type": "signal", "name": "KILL"},
    ],
)
async def test_a_bad_frame_ends_the_connection_and_says_why(site: Site, frame: Any) -> None:
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker) as visitor:
        await visitor.ready()
        await visitor.say(frame)
        said, code = await visitor.hear(), await visitor.close_code()

    assert (said["type"], said["code"], code) == ("error", "bad_frame", 4400)


async def test_a_node_that_goes_away_ends_the_connection_for_the_client_to_come_back(site: Site) -> None:
    node = await a_node(site)
    worker = await site.worker()

    async with visit(site, worker) as terminal_visitor, visit(site, worker, "?mode=logs") as log_visitor:
        await terminal_visitor.ready()
        await log_visitor.accepted()
        node.disconnect()
        said = [await each.hear() for each in (terminal_visitor, log_visitor)]
        codes = [await each.close_code() for each in (terminal_visitor, log_visitor)]

    assert [each["code"] for each in said] == ["connection_lost"] * 2
    assert codes == [BUSY] * 2
