"""The door to terminals and logs: what goes through it, whom it refuses, and how it ends."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from tests.unit.entrypoints.http.house import LOCAL
from tests.unit.entrypoints.http.site import Site, a_node, container_of, id_of
from tests.unit.entrypoints.ws.visitor import Visitor

from spunto.adapters.memory.runtime_commands import Process
from spunto.core.access.model import SessionId
from spunto.core.access.policy import Action, Role
from spunto.core.kernel import errors
from spunto.core.kernel.errors import QuotaExceeded, SpuntoError
from spunto.core.kernel.secret import Secret
from spunto.core.protocol.closing import BUSY, NORMAL, RESTARTING
from spunto.entrypoints.http.errors import STATUS
from spunto.entrypoints.ws import sockets as sockets_module
from spunto.entrypoints.ws import terminal
from spunto.entrypoints.ws.terminal import close_code_of

MIB = 1024**2


def visit(site: Site, worker: str, query: str = "", headers: dict[str, str] | None = None) -> Visitor:
    target = f"/api/workers/{id_of(worker)}/terminal{query}"
    return Visitor(site.house.app, target, site.owner.bearer if headers is None else headers)


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


async def test_who_attaches_from_elsewhere_takes_the_terminal(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker) as first:
        session = (await first.ready())["session"]
        async with visit(site, worker, f"?session={session}") as second:
            await second.ready()
            said = await first.hear()
            code = await first.close_code()

    assert (said["type"], said["code"], code) == ("error", "terminal_taken", 4409)


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


async def test_signing_out_ends_what_is_open(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker) as visitor:
        await visitor.ready()
        await site.call("POST", "/api/auth/logout")
        said, code = await visitor.hear(), await visitor.close_code()

    assert (said["code"], code) == ("credential_not_good", 4401)


@pytest.mark.parametrize("mode", ["terminal", "logs"])
async def test_a_session_that_was_revoked_elsewhere_ends_within_five_seconds(site: Site, mode: str) -> None:
    await a_node(site)
    worker = await site.worker()
    session = await site.house.access.authenticate(Secret(site.owner.token))

    async with visit(site, worker, f"?mode={mode}") as visitor:
        await visitor.accepted()
        await site.harness.settle()
        async with site.house.store() as tx:
            await tx.sessions.revoke(SessionId(session.credential_id), at=site.house.clock.now())
            await tx.commit()
        await site.harness.advance(5)
        code = await visitor.close_code()

    assert code == 4401


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_revoked_key_ends_what_it_opened_within_five_seconds(site: Site, *, elsewhere: bool) -> None:
    await a_node(site)
    worker = await site.worker()
    keys = f"{site.org}/api-keys"
    made = await site.json("POST", keys, {"name": "CI", "scopes": ["workers:exec"]}, status=201)

    async with visit(site, worker, headers={"Authorization": f"Bearer {made['token']}"}) as visitor:
        await visitor.ready()
        await site.harness.settle()
        if elsewhere:
            tenant = site.harness.owner.require(Action.API_KEY_REVOKE, org_id=site.owner.org_id)
            async with site.house.store() as tx:
                await tx.api_keys.revoke(tenant, made["id"], at=site.house.clock.now())
                await tx.commit()
            await site.harness.advance(5)
        else:
            await site.call("DELETE", f"{keys}/{made['id']}")
        said, code = await visitor.hear(), await visitor.close_code()

    assert (said["code"], code) == ("credential_not_good", 4401)


async def test_a_removed_member_s_log_ends(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    bob = await site.member("bob")
    await site.call("PATCH", f"{site.org}/members/{bob.user_id}", {"role": "admin"})

    async with visit(site, worker, "?mode=logs", headers=bob.bearer) as visitor:
        await visitor.accepted()
        await site.call("DELETE", f"{site.org}/members/{bob.user_id}")
        said, code = await visitor.hear(), await visitor.close_code()

    assert (said["code"], code) == ("worker_not_found", 4404)


async def test_a_destroyed_worker_s_log_ends(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker, "?mode=logs") as visitor:
        await visitor.accepted()
        await site.json("DELETE", worker, status=202)
        await site.harness.settle()
        await site.harness.advance(30)
        code = await visitor.close_code()

    assert code in (NORMAL, 4404)


def endless(written: list[int]) -> Callable[[Process, Sequence[str]], Any]:
    async def flood(process: Process, _: Sequence[str]) -> int:
        while True:
            await process.write("stdout", b"x" * 16_384)
            written.append(16_384)

    return flood


async def test_a_slow_reader_holds_the_program_and_nothing_piles_up(site: Site) -> None:
    written: list[int] = []
    await a_node(site, commands={"flood": endless(written)})
    worker = await site.worker()

    async with visit(site, worker) as visitor:
        await visitor.ready()
        visitor.hold()
        await visitor.type("flood\n")
        await site.harness.settle()
        held = sum(written)
        visitor.release()
        for _ in range(10):
            await visitor.hear()
        visitor.hold()
        await site.harness.settle()

    assert 0 < held <= 3 * MIB
    assert sum(written) > held


async def test_input_that_nothing_reads_waits_at_the_browser(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "INPUT_SECONDS", 0.5)
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker) as visitor:
        await visitor.ready()
        visitor.hold()
        await visitor.type("sleep 1000\n")
        for _ in range(200):
            await visitor.type("x" * 48_000)
        await site.harness.settle()
        taken = visitor.taken
        visitor.release()

    assert taken < 100


async def test_input_that_nothing_reads_for_long_ends_the_connection(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "INPUT_SECONDS", 0.01)
    monkeypatch.setattr(terminal, "FAREWELL_SECONDS", 0.01)
    monkeypatch.setattr(sockets_module, "CLOSE_SECONDS", 0.01)
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker) as visitor:
        await visitor.ready()
        visitor.hold()
        await visitor.type("sleep 1000\n")
        for _ in range(200):
            await visitor.type("x" * 48_000)
        assert visitor._task is not None
        await visitor._task

    assert not site.house.sockets._open


async def test_a_stopping_server_closes_everybody_and_lets_nobody_in(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets_module, "CLOSE_SECONDS", 0.01)
    await a_node(site)
    worker = await site.worker()

    async with visit(site, worker) as reader, visit(site, worker) as sleeper:
        await reader.ready()
        await sleeper.ready()
        sleeper.hold()
        await site.house.sockets.close_all(RESTARTING)
        code = await reader.close_code()
        async with visit(site, worker) as late:
            status, problem = await late.refusal()

    assert (code, status, problem["code"]) == (RESTARTING, 503, "server_stopping")


def at_work() -> Counter[str]:
    return Counter(getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks())


async def test_who_leaves_leaves_nothing_behind(site: Site) -> None:
    await a_node(site)
    worker = await site.worker()
    await site.harness.advance(700)
    before = at_work()

    for query in ("", "?mode=logs"):
        async with visit(site, worker, query) as visitor:
            await visitor.accepted()
            await site.harness.settle()
    await site.harness.advance(700)

    assert at_work() == before
    assert not site.house.sockets._open


KINDS = {
    errors.Malformed: 4400,
    errors.Unauthenticated: 4401,
    errors.Forbidden: 4403,
    errors.NotFound: 4404,
    errors.Conflict: 4409,
    errors.Invalid: 4422,
    errors.Unavailable: BUSY,
}


@pytest.mark.parametrize(("kind", "code"), KINDS.items())
def test_each_kind_of_error_has_its_close_code(kind: type[SpuntoError], code: int) -> None:
    assert close_code_of(kind("some_code", "Words.")) == code


def test_too_much_has_its_close_code_too() -> None:
    assert close_code_of(QuotaExceeded("too_many_terminals", "Words.", retry_after_seconds=1)) == 4429
    # A socket changes nothing on a condition.
    assert set(KINDS) | {QuotaExceeded, errors.PreconditionFailed} == set(STATUS)
